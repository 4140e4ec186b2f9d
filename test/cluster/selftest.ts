import type { Report } from './binaries';
export async function selftest(_report: Report): Promise<void> {}
