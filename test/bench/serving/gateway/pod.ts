/** An HTTP server that stands for a pod: takes a JSON request, answers with 10 kB at once, and sends its address. */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';

const ANSWER = JSON.stringify({ created: 0, data: [{ b64_json: 'A'.repeat(10_000) }] });

const server = createServer((request, response) => {
  request.resume();
  request.on('end', () => {
    response.writeHead(200, {
      'Content-Type': 'application/json',
      'Content-Length': String(Buffer.byteLength(ANSWER)),
    });
    response.end(ANSWER);
  });
});
// Beyond the benchmark's pauses, so that no request meets a connection that is being closed.
server.keepAliveTimeout = 60_000;
server.listen(0, '127.0.0.1', () => {
  process.send!({ origin: `http://127.0.0.1:${(server.address() as AddressInfo).port}` });
});
process.once('disconnect', () => process.exit());
