// Sends a message without a workflow and prints its id. The recipient comes first.

const Nexmo = require('nexmo');
const { credentials, server, steps, print } = require('./customer');

const api = new Nexmo(credentials, server);
const [, { to, from, message }] = steps();
api.channel.send(to, from, message, print('message_uuid'));
