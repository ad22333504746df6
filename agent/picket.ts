#!/usr/bin/env node
// The command line: what has been compiled once is not compiled again, so the cache is there before the rest is loaded.
import { enableCompileCache, flushCompileCache } from 'node:module';
import { compileCache } from './compile-cache.ts';

const cache = compileCache();
if (cache !== undefined) enableCompileCache(cache);
const { main } = await import('./command/main.ts');
flushCompileCache(); // an agent may be killed
process.exitCode = await main();
// A timer or socket that nobody closed must not hold the process.
process.exit();
