// Asks for a template that there is not, and prints what the client makes of the refusal.

const Nexmo = require('nexmo');
const { credentials, server, steps } = require('./customer');

const api = new Nexmo(credentials, server);
api.dispatch.create('nonsense', steps(), (err, data) => console.log(JSON.stringify({ err, data })));
