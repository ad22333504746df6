/** `npm run test:long` runs the same tests at full length; each scaled test has its two sizes in one constant of its own. */
export const isLong = process.env.PICKET_TEST_LONG === '1';
