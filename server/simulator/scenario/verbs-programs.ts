/** Steps between programs: what one process gives to another before or while that runs. */
import type { OperandSpec, VerbSpec } from './verbs.js';

const FROM: OperandSpec = { role: 'process', kind: 'word', key: 'from', doc: 'the process that has it open under the same name, and no longer afterwards' };

export const PROGRAM_VERBS: readonly VerbSpec[] = [
  { verb: 'inherit-iommufd', call: 'execve() / recvmsg(SCM_RIGHTS)', doc: 'Takes over an iommufd that another process opened: as the program it starts, or through a socket.', operands: [{ role: 'handle', kind: 'new iommufd', doc: 'its name there and here' }, FROM], flags: [], rules: ['IFD-06'], example: 'inherit-iommufd fd from libvirtd' },
  { verb: 'inherit-cdev', call: 'execve() / recvmsg(SCM_RIGHTS)', doc: 'Takes over the character device that another process opened.', operands: [{ role: 'handle', kind: 'new cdev', doc: 'its name there and here' }, FROM], flags: [], rules: ['CDV-01'], example: 'inherit-cdev d_gpu from libvirtd' },
  { verb: 'set-memlock', call: 'prlimit(RLIMIT_MEMLOCK)', doc: 'Sets how much memory a process may lock, as the manager of a VM does before or while it runs.', operands: [{ role: 'process', kind: 'word', doc: 'the process' }, { role: 'limit', kind: 'size', key: 'to', doc: 'bytes' }], flags: [], rules: ['VFT-60'], example: 'set-memlock qemu to 17GiB' },
];
