// Starts a workflow and prints its id.

const Nexmo = require('nexmo');
const { credentials, server, steps, print } = require('./customer');

const api = new Nexmo(credentials, server);
api.dispatch.create('failover', steps(), print('dispatch_uuid'));
