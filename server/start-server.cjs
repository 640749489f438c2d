/** Starts the language server. Node keeps what it compiled of the program for the next start, where it can: from 22.1 on. */
const { enableCompileCache } = require('node:module');

enableCompileCache?.();
import('./server.js').then(({ serve }) => serve());
