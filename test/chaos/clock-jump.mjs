// For `node --import`: moves the wall clock forward by CHAOS_CLOCK_JUMP_MS on SIGUSR2. As with a real clock, timers
// and performance.now() are not affected.
const RealDate = Date;
const jump = Number(process.env.CHAOS_CLOCK_JUMP_MS);
let offset = 0;

class JumpingDate extends RealDate {
  constructor(...parts) {
    if (parts.length === 0) super(RealDate.now() + offset);
    else super(...parts);
  }
  static now() {
    return RealDate.now() + offset;
  }
}

globalThis.Date = JumpingDate;
process.on('SIGUSR2', () => {
  offset += jump;
});
