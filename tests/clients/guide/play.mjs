// Plays script.json against /signaling with the `ws` package, and prints what each client got.
// play.py does the same with Python's `websockets`: both must see what transcript.txt says.

import { readFile } from 'node:fs/promises';
import WebSocket from 'ws';

const [url] = process.argv.slice(2);
const steps = JSON.parse(await readFile(new URL('script.json', import.meta.url)));
const clients = new Map();

/** One connection, and what it has got and not yet shown. */
class Client {
  constructor() {
    this.received = [];
    this.wake = () => {};
    this.socket = new WebSocket(url);
    this.socket.on('message', (data) => {
      this.received.push(data.toString());
      this.wake();
    });
  }

  event(name) {
    return new Promise((resolve, reject) => {
      this.socket.once(name, (...args) => resolve(args));
      this.socket.once('error', reject);
    });
  }

  async take(count) {
    while (this.received.length < count) await new Promise((resolve) => { this.wake = resolve; });
    return this.received.splice(0);
  }
}

for (const { who, do: action, text, get } of steps) {
  console.log(action === 'send' ? `${who}> ${text}` : `${who} ${action}s`);
  if (action === 'connect') {
    clients.set(who, new Client());
    await clients.get(who).event('open');
  } else if (action === 'send') {
    clients.get(who).socket.send(text);
  } else {
    const closed = clients.get(who).event('close');
    clients.get(who).socket.close(1000);
    console.log(`${who}< close ${(await closed)[0]}`);
  }
  for (const [name, count] of Object.entries(get)) {
    for (const line of await clients.get(name).take(count)) console.log(`${name}< ${line}`);
  }
}
