// For `node --expose-gc --import`: on SIGUSR2, collects garbage and prints the size of the heap.
process.on('SIGUSR2', () => {
  globalThis.gc();
  globalThis.gc();
  console.log(JSON.stringify({ message: 'heap', ...process.memoryUsage() }));
});
