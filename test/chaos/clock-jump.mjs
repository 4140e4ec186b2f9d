// For `node --import`: sets the wall clock at SIGUSR2, forward by CHAOS_CLOCK_JUMP_MS. As with a real clock that is
// set, timers and performance.now() go on as before.
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
