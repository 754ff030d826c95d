// Starts a workflow with the client of the first era, and prints its id.

const Nexmo = require('nexmo-legacy');
const { credentials, serverOfBefore, steps, print } = require('./customer');

const api = new Nexmo(credentials, serverOfBefore);
api.workflow.create('failover', steps(), print('workflow_uuid'));
