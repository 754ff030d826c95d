// Starts a workflow with key and secret alone, and prints its id.

const Nexmo = require('nexmo-basic-auth');
const { keyAndSecret, serverOfBefore, steps, print } = require('./customer');

const api = new Nexmo(keyAndSecret, serverOfBefore);
api.dispatch.create('failover', steps(), print('dispatch_uuid'), { useBasicAuth: true });
