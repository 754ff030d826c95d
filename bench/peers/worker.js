// A process that does a peer's work: ready when its code is loaded, at work when it is told so.
const [name, part] = process.argv.slice(2);
const { default: peer } = await import(`./peers/${name}.js`);
const work = await peer.worker(part);
process.once("message", work);
process.once("disconnect", () => process.exit());
process.send("ready");
