/** Errno names as user space sees them. */
export type Errno =
  /** Number 524: user space has no name for it (IOA-07). */
  | 'ENOTSUPP'
  | 'EPERM' | 'ENOENT' | 'ESRCH' | 'EINTR' | 'EIO' | 'E2BIG' | 'EBADF' | 'EAGAIN' | 'ENOMEM' | 'EACCES' | 'EFAULT' | 'EBUSY' | 'EEXIST'
  | 'ENODEV' | 'EINVAL' | 'EMFILE' | 'ENOTTY' | 'ENOSPC' | 'ERANGE' | 'EDEADLOCK' | 'EOVERFLOW' | 'EUSERS' | 'EMSGSIZE' | 'EBADFD'
  | 'EOPNOTSUPP' | 'EADDRINUSE' | 'EPROBE_DEFER'
  /** Also: the kernel has no such function. */
  | 'ENOSYS' | 'ENXIO' | 'ESPIPE';

/** The kernel stopped in a BUG(): no errno reaches anybody (OLD-04). */
export type CallFailure = Errno | 'BUG';

/** A refused call: which errno, by which rule, why in one sentence, and whose fault it is. */
export class Refusal extends Error {
  constructor(
    readonly errno: CallFailure,
    readonly rule: string,
    /** One sentence in the kernel's terms: the check that failed. */
    readonly reason: string,
    /** `SubjectId`s of the devices or mappings that made it fail. */
    readonly offenders: readonly string[] = [],
  ) {
    super(`${errno}: ${reason}`);
  }
}
