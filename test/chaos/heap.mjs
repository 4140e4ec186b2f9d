// For `node --expose-gc --import`: at SIGUSR2, collects garbage and says on a line how much is left.
process.on('SIGUSR2', () => {
  globalThis.gc();
  globalThis.gc();
  console.log(JSON.stringify({ message: 'heap', ...process.memoryUsage() }));
});
