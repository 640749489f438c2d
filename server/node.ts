/** What a Node installation has of the engine, in one bundle: the language server and the terminal command. */
export { runCommand } from './cli.js';
export { serve } from './main.js';
