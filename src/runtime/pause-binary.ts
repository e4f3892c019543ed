/**
 * The program of the pause container: process 1 of every pod's sandbox. It holds the pod's namespaces, buries orphans when the pod shares its
 * process namespace, and leaves with 0 on SIGTERM or SIGINT. It is made here, as machine code in a static ELF file of about 250 bytes, so that
 * a cluster needs neither a registry nor a compiler.
 *
 * As process 1 it gets no signal that it neither handles nor blocks. So it blocks all of them and fetches them one by one:
 *
 *     rt_sigprocmask(SIG_BLOCK, &all, NULL, 8);
 *     for (;;) {
 *       int sig = rt_sigtimedwait(&all, NULL, NULL, 8);
 *       if (sig == SIGTERM || sig == SIGINT) exit(0);
 *       while (wait4(-1, NULL, WNOHANG, NULL) > 0);
 *     }
 */

/** Architectures by their OCI (Go) names. */
export type Architecture = 'amd64' | 'arm64';

// Offsets of jumps are bytes from the end of the jump instruction.
const amd64Code = bytes(`
  6a ff           push -1              the mask of all signals, on the stack
  48 89 e6        mov  rsi, rsp
  31 ff           xor  edi, edi        SIG_BLOCK
  31 d2           xor  edx, edx
  6a 08 41 5a     push 8 / pop r10     size of the mask
  6a 0e 58        push 14 / pop rax    rt_sigprocmask
  0f 05           syscall
  48 89 e7        mov  rdi, rsp        next: (at 18)
  31 f6           xor  esi, esi
  31 d2           xor  edx, edx        no time-out
  6a 08 41 5a     push 8 / pop r10
  b8 80 00 00 00  mov  eax, 128        rt_sigtimedwait
  0f 05           syscall
  83 f8 0f        cmp  eax, 15         SIGTERM
  74 1b           je   leave
  83 f8 02        cmp  eax, 2          SIGINT
  74 16           je   leave
  6a ff 5f        push -1 / pop rdi    bury: (at 46) any child
  31 f6           xor  esi, esi
  6a 01 5a        push 1 / pop rdx     WNOHANG
  45 31 d2        xor  r10d, r10d
  6a 3d 58        push 61 / pop rax    wait4
  0f 05           syscall
  85 c0           test eax, eax
  7f ec           jg   bury
  eb ce           jmp  next
  31 ff           xor  edi, edi        leave: (at 68)
  6a 3c 58        push 60 / pop rax    exit
  0f 05           syscall
`);

const arm64Code = words([
  0x92800009, // movn x9, #0          the mask of all signals
  0xf81f0fe9, // str  x9, [sp, #-16]!
  0xd2800000, // mov  x0, #0          SIG_BLOCK
  0x910003e1, // mov  x1, sp
  0xd2800002, // mov  x2, #0
  0xd2800103, // mov  x3, #8          size of the mask
  0xd28010e8, // mov  x8, #135        rt_sigprocmask
  0xd4000001, // svc  #0
  0x910003e0, // mov  x0, sp          next: (at 0x20)
  0xd2800001, // mov  x1, #0
  0xd2800002, // mov  x2, #0          no time-out
  0xd2800103, // mov  x3, #8
  0xd2801128, // mov  x8, #137        rt_sigtimedwait
  0xd4000001, // svc  #0
  0x71003c1f, // cmp  w0, #15         SIGTERM
  0x54000180, // b.eq leave
  0x7100081f, // cmp  w0, #2          SIGINT
  0x54000140, // b.eq leave
  0x92800000, // movn x0, #0          bury: (at 0x48) any child
  0xd2800001, // mov  x1, #0
  0xd2800022, // mov  x2, #1          WNOHANG
  0xd2800003, // mov  x3, #0
  0xd2802088, // mov  x8, #260        wait4
  0xd4000001, // svc  #0
  0x7100001f, // cmp  w0, #0
  0x54ffff2c, // b.gt bury
  0x17ffffee, // b    next
  0xd2800000, // mov  x0, #0          leave: (at 0x6c)
  0xd2800ba8, // mov  x8, #93         exit
  0xd4000001, // svc  #0
]);

const EHDR_SIZE = 64;
const PHDR_SIZE = 56;
const SEGMENTS = 2;
const LOAD_ADDRESS = 0x400000;
/** arm64 kernels may use pages of 64 KiB. */
const PAGE = 0x10000;
const EM_X86_64 = 62;
const EM_AARCH64 = 183;

/** The static ELF executable for Linux on `arch`. */
export function pauseBinary(arch: Architecture): Uint8Array {
  const code = arch === 'amd64' ? amd64Code : arm64Code;
  const entry = EHDR_SIZE + SEGMENTS * PHDR_SIZE;
  const out = Buffer.alloc(entry + code.length);
  // ELF64, little endian, version 1, System V.
  out.set([0x7f, 0x45, 0x4c, 0x46, 2, 1, 1], 0);
  out.writeUInt16LE(2, 16); // e_type: EXEC
  out.writeUInt16LE(arch === 'amd64' ? EM_X86_64 : EM_AARCH64, 18);
  out.writeUInt32LE(1, 20); // e_version
  out.writeBigUInt64LE(BigInt(LOAD_ADDRESS + entry), 24); // e_entry
  out.writeBigUInt64LE(BigInt(EHDR_SIZE), 32); // e_phoff
  out.writeUInt16LE(EHDR_SIZE, 52);
  out.writeUInt16LE(PHDR_SIZE, 54);
  out.writeUInt16LE(SEGMENTS, 56);
  // PT_LOAD, readable and executable: the whole file.
  out.writeUInt32LE(1, EHDR_SIZE);
  out.writeUInt32LE(5, EHDR_SIZE + 4);
  out.writeBigUInt64LE(BigInt(LOAD_ADDRESS), EHDR_SIZE + 16);
  out.writeBigUInt64LE(BigInt(LOAD_ADDRESS), EHDR_SIZE + 24);
  out.writeBigUInt64LE(BigInt(out.length), EHDR_SIZE + 32);
  out.writeBigUInt64LE(BigInt(out.length), EHDR_SIZE + 40);
  out.writeBigUInt64LE(BigInt(PAGE), EHDR_SIZE + 48);
  // PT_GNU_STACK, readable and writable: the stack holds no code.
  out.writeUInt32LE(0x6474e551, EHDR_SIZE + PHDR_SIZE);
  out.writeUInt32LE(6, EHDR_SIZE + PHDR_SIZE + 4);
  out.writeBigUInt64LE(16n, EHDR_SIZE + PHDR_SIZE + 48);
  out.set(code, entry);
  return out;
}

/** Reads the pairs of hex digits at the start of each line; the rest of a line, after two blanks, is comment. */
function bytes(listing: string): Uint8Array {
  const pairs = listing.split('\n').flatMap((line) => /^ +((?:[0-9a-f]{2} )+)/.exec(line)?.[1]?.trim().split(' ') ?? []);
  return Uint8Array.from(pairs, (pair) => Number.parseInt(pair, 16));
}

function words(instructions: readonly number[]): Uint8Array {
  const out = Buffer.alloc(instructions.length * 4);
  instructions.forEach((word, i) => {
    out.writeUInt32LE(word, i * 4);
  });
  return out;
}
