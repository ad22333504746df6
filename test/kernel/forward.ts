import type { Job, JobResult } from './job.ts';

/** Prints on our own streams what a job prints, while it does; resolves with its result. */
export async function forward(job: Job): Promise<JobResult> {
  const shown = { stdout: 0, stderr: 0 };
  const show = (): void => {
    const output = job.output();
    for (const stream of ['stdout', 'stderr'] as const) {
      process[stream].write(output[stream].subarray(shown[stream]));
      shown[stream] = output[stream].length;
    }
  };
  const timer = setInterval(show, 200);
  try {
    return await job.result;
  } finally {
    clearInterval(timer);
    show();
  }
}
