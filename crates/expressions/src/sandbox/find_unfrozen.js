// For a test: lists what can be reached in a context and is not frozen.
(globals) => {
  const { getOwnPropertyDescriptor, getPrototypeOf, isFrozen } = Object;
  // Values whose prototypes no global leads to.
  const mine = [
    () => 1,
    function () {},
    function* () {},
    async () => 1,
    async function* () {},
    [].values(),
    "".matchAll(/a/g),
    ""[Symbol.iterator](),
    new Map().values(),
    new Set().values(),
    [].values().map((x) => x),
    /a/,
    1n,
    Symbol("s"),
    Error("e"),
    new Date(),
  ];
  const pending = [["globals", globals]];
  mine.forEach((value, at) => pending.push([`mine[${at}]`, getPrototypeOf(value)]));
  const seen = new Map();
  while (pending.length > 0) {
    const [path, object] = pending.pop();
    const isObject = object !== null && (typeof object === "object" || typeof object === "function");
    if (!isObject || seen.has(object)) continue;
    seen.set(object, path);
    pending.push([`${path}.__proto__`, getPrototypeOf(object)]);
    const keys = Object.getOwnPropertyNames(object).concat(Object.getOwnPropertySymbols(object));
    for (const key of keys) {
      const { value, get, set } = getOwnPropertyDescriptor(object, key);
      for (const next of [value, get, set]) pending.push([`${path}.${String(key)}`, next]);
    }
  }
  const unfrozen = [...seen.keys()].filter((object) => !isFrozen(object));
  return `${seen.size} ${unfrozen.map((object) => seen.get(object)).join(" ")}`;
}
