"use strict";

// Returns the function that measures the width of a text in a font, in pixels.
function widthIn(font) {
  const context = document.createElement("canvas").getContext("2d");
  context.font = font;
  return (text) => context.measureText(text).width;
}

// Returns how many characters all texts share at their beginnings, up to a dot or a hyphen.
function sharedLength(texts) {
  const [first, ...others] = texts;
  let count = 0;
  while (others.length && count < first.length && others.every((other) => other[count] === first[count])) count += 1;
  return Math.max(first.lastIndexOf(".", count - 1), first.lastIndexOf("-", count - 1)) + 1;
}

// A layer that computes several operators names each of them. What the later names share with the first one becomes an
// ellipsis.
function withoutRepetition(name) {
  const [first, ...others] = name.split(" + ");
  const rest = (other) => withEllipsis(other, sharedLength([first, other]));
  return [first, ...others.map(rest)].join(" + ");
}

function withEllipsis(text, count) {
  return count > 1 ? `…${text.slice(count)}` : text;
}

// Takes characters out of the middle of a text, as many as its width needs, because names differ at their ends. If
// another name has what remains, the characters are taken from beside the middle.
function cut(text, limit, width, taken) {
  const letters = [...text];
  const without = (begin, count) => `${letters.slice(0, begin).join("")}…${letters.slice(begin + count).join("")}`;
  const middle = (count) => Math.ceil((letters.length - count) / 2);
  let count = 2;
  while (count < letters.length && width(without(middle(count), count)) > limit) count += 1;
  for (let distance = 0; distance <= middle(count); distance += 1) {
    for (const begin of [middle(count) - distance, middle(count) + distance]) {
      const found = without(begin, count);
      if (width(found) <= limit && !taken.has(found)) return found;
    }
  }
  return without(middle(count), count);
}

// Returns the names in the same order, each as long as the limit allows, and different ones for different names. Where
// one is too long, all of them lose the beginning that they share.
function shortNames(names, limit, width) {
  if (names.every((name) => width(name) <= limit)) return names;
  const shared = sharedLength(names);
  const taken = new Set(names.map((name) => withEllipsis(name, shared)));
  return names.map((name) => {
    const whole = withEllipsis(name, shared);
    if (width(whole) <= limit) return whole;
    const brief = withEllipsis(withoutRepetition(name), shared);
    const found = width(brief) <= limit && !taken.has(brief) ? brief : cut(brief, limit, width, taken);
    taken.add(found);
    return found;
  });
}
