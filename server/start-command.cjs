/** Starts the terminal command. Node keeps what it compiled of the program for the next call, where it can: from 22.1 on. */
const { enableCompileCache } = require('node:module');

enableCompileCache?.();
import('./command.js').then(({ runCommand }) => runCommand());
