// Stand-in for the native logger: the calls that VS Code makes, as plain appends. Without it the Output panel stays empty.
const { appendFileSync, mkdirSync } = require('node:fs');
const { dirname } = require('node:path');

const calls = ['trace', 'debug', 'info', 'warn', 'error', 'critical'];

class Logger {
  constructor(_type, _name, file) {
    this.file = file;
    this.level = calls.indexOf('info');
    this.bare = false;
  }
  getLevel() { return this.level; }
  setLevel(level) { this.level = level; }
  setPattern() { this.bare = false; }
  clearFormatters() { this.bare = true; }
  flush() {}
  drop() {}
  write(level, message) {
    if (level < this.level) return;
    const line = this.bare ? message : `${new Date().toISOString()} [${calls[level]}] ${message}\n`;
    try {
      appendFileSync(this.file, line);
    } catch {
      // The log folder is removed when a run ends; a late line is then of no use.
    }
  }
}
calls.forEach((call, level) => { Logger.prototype[call] = function log(message) { this.write(level, message); }; });

const create = async (name, file) => {
  mkdirSync(dirname(file), { recursive: true });
  return new Logger('', name, file);
};
Object.assign(exports, { version: 0, setLevel() {}, setFlushOn() {}, Logger, createRotatingLogger: create, createAsyncRotatingLogger: create });
