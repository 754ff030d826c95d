// Whose program it is, where the server is, and what is to be sent.

const { API_KEY, API_SECRET, APPLICATION_ID, PRIVATE_KEY, HOST, PORT } = process.env;

exports.keyAndSecret = { apiKey: API_KEY, apiSecret: API_SECRET };
exports.credentials = { ...exports.keyAndSecret, applicationId: APPLICATION_ID, privateKey: PRIVATE_KEY };
exports.server = { apiHost: HOST, port: Number(PORT) };
// As the clients before 2.7 take it.
exports.serverOfBefore = { host: HOST, port: Number(PORT) };

// Messenger, and an SMS if it is not read in time.
exports.steps = (recipient = '2000000000000002') => [
  { from: { type: 'messenger', id: '1000000000000001' },
    to: { type: 'messenger', id: recipient },
    message: { content: { type: 'text', text: 'Your parcel is here' } },
    failover: { expiry_time: 15, condition_status: 'read' } },
  { from: { type: 'sms', number: '447700900001' },
    to: { type: 'sms', number: '447700900000' },
    message: { content: { type: 'text', text: 'Your parcel is here' } } }];

// Prints this member of the answer.
exports.print = (member) => (err, data) => {
  if (err) {
    console.error(err.statusCode, JSON.stringify(err.body || err));
    process.exit(1);
  }
  console.log(data[member]);
};
