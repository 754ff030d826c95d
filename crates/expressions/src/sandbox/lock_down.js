// Makes a context safe to share between the evaluations of an account: takes away what scripts must not
// have, adds the helpers, and freezes everything that is left. Answers with the kit: what the functions
// that are made of templates, and the child itself, use.
//
// The child calls this with the names that stay and the native helpers, in a fresh context.
(keep, natives) => {
  const { defineProperty, freeze, getOwnPropertyDescriptor, getPrototypeOf } = Object;
  const { ownKeys } = Reflect;
  const { stringify, parse } = JSON;
  const DateObject = Date;
  const globals = globalThis;

  // How a value becomes text inside a longer one.
  const text = (value) => {
    switch (typeof value) {
      case "string":
        return value;
      case "undefined":
        return "";
      case "number":
      case "boolean":
      case "bigint":
        return `${value}`;
      case "object": {
        if (value === null) return "";
        const json = value instanceof DateObject ? parse(stringify(value)) : stringify(value);
        return json ?? "";
      }
      default:
        throw new TypeError(`a ${typeof value} cannot be turned into text`);
    }
  };

  const kit = {
    text,
    // A value inside a larger one; undefined members would be dropped.
    typed: (value) => {
      if (typeof value === "function" || typeof value === "symbol") {
        throw new TypeError(`a ${typeof value} cannot be turned into JSON`);
      }
      return value === undefined ? null : value;
    },
    json: parse,
    // A copy with one more member of its own, whatever its name is.
    assign: (object, key, value) => ({ ...object, [key]: value }),
    wellFormed: (value) => value.toWellFormed(),
    truth: (value) => !!value,
  };

  const argument = (value) =>
    value === undefined || value === null ? undefined : text(value).toWellFormed();
  const helpers = {
    isCountryCode: (phoneNumber, countryCode) =>
      natives.isCountryCode(argument(phoneNumber), argument(countryCode)),
    stringContains: (source, value, ignoreCase) =>
      natives.stringContains(argument(source), argument(value), !!ignoreCase),
    isTimeOfDayBetween: (timestamp, timeFrom, timeTo, timezone) =>
      natives.isTimeOfDayBetween(
        argument(timestamp),
        argument(timeFrom),
        argument(timeTo),
        argument(timezone),
      ),
    isDayOfWeek: (timestamp, day) => natives.isDayOfWeek(argument(timestamp), argument(day)),
    uuid: () => natives.uuid(),
  };

  const functions = [
    function () {},
    function* () {},
    async function () {},
    async function* () {},
  ];
  // Objects that no global leads to.
  const hidden = [
    ...functions,
    [].values(),
    "".matchAll(/a/g),
    ""[Symbol.iterator](),
    new Map().values(),
    new Set().values(),
    [].values().map((value) => value),
    Iterator.from({ next() {} }),
    functions[1](),
    functions[3](),
    kit,
    natives,
  ];

  for (const key of ownKeys(globals)) {
    if (!keep.includes(key)) delete globals[key];
  }
  for (const name of ["captureStackTrace", "prepareStackTrace", "stackTraceLimit"]) delete Error[name];
  delete Array.fromAsync;
  // From a function one would get to the constructors that compile source.
  for (const f of functions) delete getPrototypeOf(f).constructor;

  for (const [name, helper] of Object.entries(helpers)) {
    globals[name] = helper;
    globals[name[0].toUpperCase() + name.slice(1)] = helper;
  }

  // A frozen member of a prototype could not be set on objects that inherit it (`Object.assign({}, …)`);
  // an accessor that sets an own member can.
  for (const key of ownKeys(Object.prototype)) {
    const { value, writable } = getOwnPropertyDescriptor(Object.prototype, key);
    if (!writable) continue;
    defineProperty(Object.prototype, key, {
      configurable: false,
      enumerable: false,
      get() {
        return value;
      },
      set(own) {
        defineProperty(this, key, { value: own, configurable: true, enumerable: true, writable: true });
      },
    });
  }

  const seen = new Set();
  const pending = [];
  const reach = (value) => {
    const isObject = typeof value === "object" || typeof value === "function";
    if (!isObject || value === null || seen.has(value)) return;
    seen.add(value);
    pending.push(value);
  };
  [globals, ...hidden].forEach(reach);
  while (pending.length > 0) {
    const object = pending.pop();
    reach(getPrototypeOf(object));
    for (const key of ownKeys(object)) {
      const descriptor = getOwnPropertyDescriptor(object, key);
      reach(descriptor.value);
      reach(descriptor.get);
      reach(descriptor.set);
    }
    freeze(object);
  }
  return kit;
}
