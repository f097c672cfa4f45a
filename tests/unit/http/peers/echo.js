// Answers every request with what node's HTTP parser made of it: "X-Seen: METHOD TARGET CONTENT", the
// last two in hexadecimal. Listens on the Unix socket that is given and says "ready".
const http = require('http');

const server = http.createServer((request, response) => {
  const content = [];
  request.on('data', (piece) => content.push(piece));
  request.on('end', () => {
    const target = Buffer.from(request.url, 'latin1').toString('hex');
    const seen = `${request.method} ${target} ${Buffer.concat(content).toString('hex')}`;
    response.writeHead(200, { 'X-Seen': seen, 'Content-Length': 0 });
    response.end();
  });
});
server.keepAliveTimeout = 0;
server.listen(process.argv[2], () => console.log('ready'));
