/**
 * Says `ready`, then the name of its argument's signal when that comes, and ends.
 */
const signal = process.argv[2] as NodeJS.Signals;
const life = setInterval(() => undefined, 60_000);
process.on(signal, () => {
  console.log(signal);
  clearInterval(life);
});
console.log("ready");
