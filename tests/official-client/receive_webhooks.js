// Receives webhooks and believes none that is not signed. Prints its port, then a line of JSON for each webhook: its
// path, its body, and the claims of its signature or what is wrong with it.

const crypto = require('crypto');
const http = require('http');

const secret = process.env.SIGNATURE_SECRET;

function verify(authorization = '', body) {
  const token = /^Bearer ([\w-]+)\.([\w-]+)\.([\w-]+)$/.exec(authorization);
  if (!token) throw new Error('there is no token');
  const [header, claims, signature] = token.slice(1).map((part) => Buffer.from(part, 'base64url'));
  if (JSON.parse(header).alg !== 'HS256') throw new Error('it is not signed by HS256');
  const signed = crypto.createHmac('sha256', secret).update(`${token[1]}.${token[2]}`).digest();
  if (signature.length !== signed.length || !crypto.timingSafeEqual(signature, signed)) {
    throw new Error('it is not signed with the secret');
  }
  const read = JSON.parse(claims);
  if (read.payload_hash !== crypto.createHash('sha256').update(body).digest('hex')) {
    throw new Error('the signature is of another body');
  }
  return read;
}

const server = http.createServer((request, response) => {
  const chunks = [];
  request.on('data', (chunk) => chunks.push(chunk));
  request.on('end', () => {
    const body = Buffer.concat(chunks);
    const told = { path: request.url, body: body.toString() };
    try {
      told.claims = verify(request.headers.authorization, body);
    } catch (error) {
      told.fault = error.message;
    }
    console.log(JSON.stringify(told));
    response.writeHead(told.claims ? 204 : 401).end();
  });
});
server.listen(0, '127.0.0.1', () => console.log(`listening on ${server.address().port}`));
