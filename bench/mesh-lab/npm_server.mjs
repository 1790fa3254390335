#!/usr/bin/env node
// Starts the server of an npm package peerpigeon as its own command line tool does: npm_server.mjs PACKAGE_FOLDER, with
// PORT, HOST and MAX_CONNECTIONS in the environment. It is what the laboratory compares with.

import path from 'node:path';
import { pathToFileURL } from 'node:url';

const { PeerPigeonServer } = await import(pathToFileURL(path.resolve(process.argv[2], 'server/index.js')).href);
const { PORT, HOST, MAX_CONNECTIONS } = process.env;
await new PeerPigeonServer({ port: Number(PORT), host: HOST, maxConnections: Number(MAX_CONNECTIONS) }).start();
