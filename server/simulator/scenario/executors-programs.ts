/** Steps between programs. */
import { Refusal } from '../errno.js';
import type { Executor } from './call.js';

/** The descriptor ends there and begins here; the file behind it never knows. @throws Refusal EBADF */
const inherit: Executor = (call) => {
  const giver = call.machine.programs.named(call.word('process'));
  const name = call.word('handle');
  const handle = giver.handles.get(name);
  if (handle?.kind !== 'file') throw new Refusal('EBADF', 'VFG-13', `${name} is not open in ${giver.process.name}`);
  giver.handles.delete(name);
  const fd = call.process.open(giver.process.giveUp(handle.fd));
  call.program.handles.set(name, { ...handle, fd });
  return { values: { fd: BigInt(fd) } };
};

const setMemlock: Executor = (call) => {
  call.machine.programs.named(call.word('process')).process.memlock = call.number('limit');
  return undefined;
};

export const PROGRAM_EXECUTORS: Readonly<Record<string, Executor>> = { 'inherit-iommufd': inherit, 'inherit-cdev': inherit, 'set-memlock': setMemlock };
