// Starts a workflow as the original's quick start did: with the callback inside of the array, where JSON makes a
// null of it and nobody calls it. The first recipient takes no messages.

const Nexmo = require('nexmo');
const { credentials, server, steps, print } = require('./customer');

const api = new Nexmo(credentials, server);
api.dispatch.create('failover', [...steps('3000000000000003'), print('dispatch_uuid')]);
