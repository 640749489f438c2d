// Stand-in for the native watchdog: the extension host ends when its server is gone.
const aliveEvery = 3000;

exports.start = (serverPid) => {
  const check = () => {
    try {
      process.kill(serverPid, 0);
    } catch {
      process.exit(87);
    }
  };
  setInterval(check, aliveEvery).unref();
};
exports.exit = (code) => process.exit(code ?? 0);
