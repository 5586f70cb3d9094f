// What is wrong with a page as it is laid out, as lines of text; at most ten of them. It changes the page: what is folded up is opened.
(() => {
  const problems = [];
  const width = document.documentElement.clientWidth;
  const isPrinted = matchMedia('print').matches;
  const style = (element) => getComputedStyle(element);
  const short = (text) => `'${text.trim().replace(/\s+/g, ' ').slice(0, 60)}'`;
  for (const folded of document.querySelectorAll('details')) folded.open = true;

  if (document.documentElement.scrollWidth > width)
    problems.push(`the page is ${document.documentElement.scrollWidth} px wide in a window of ${width}`);

  const scrolls = (element) => /auto|scroll/.test(style(element).overflowX + style(element).overflowY);
  const boxOf = (element) => {
    for (let at = element; at && at !== document.documentElement; at = at.parentElement)
      if (at !== document.body && scrolls(at)) return at;
    return null;
  };

  // A box that cuts, and has more in it than it shows.
  for (const element of document.body.querySelectorAll('*')) {
    if (element.closest('svg')) continue;
    if (/hidden|clip/.test(style(element).overflowX) && element.scrollWidth > element.clientWidth + 1)
      problems.push(`${short(element.textContent)} is cut at ${element.clientWidth} of ${element.scrollWidth} px`);
    if (isPrinted && scrolls(element) && element.scrollWidth > element.clientWidth + 1)
      problems.push(`${short(element.textContent)} is cut on paper, which does not scroll`);
  }

  // Every line of text that can be seen: where it is, and where it could be scrolled to.
  const pieces = [];
  const add = (element, text, rect) => {
    if (rect.width < 1 || rect.height < 1) return;
    const box = boxOf(element);
    const frame = box ? box.getBoundingClientRect() : { left: 0, right: width, top: -1e9, bottom: 1e9 };
    const [left, right] = box
      ? [rect.left - frame.left + box.scrollLeft, rect.right - frame.left + box.scrollLeft - box.scrollWidth]
      : [rect.left, rect.right - width];
    if (left < -1 || right > 1) problems.push(`${short(text)} runs off the ${box ? 'box that it scrolls in' : 'page'}`);
    const seen = {
      left: Math.max(rect.left, frame.left), right: Math.min(rect.right, frame.right),
      top: Math.max(rect.top, frame.top), bottom: Math.min(rect.bottom, frame.bottom),
    };
    if (seen.right - seen.left > 1 && seen.bottom - seen.top > 1) pieces.push({ element, text, ...seen });
  };
  const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (texts.nextNode()) {
    const [node, element] = [texts.currentNode, texts.currentNode.parentElement];
    if (!node.data.trim() || element.closest('svg, script, style') || !element.checkVisibility()) continue;
    const range = document.createRange();
    range.selectNodeContents(node);
    const lines = [...range.getClientRects()];
    for (const rect of lines) add(element, node.data, rect);
    for (const word of node.data.matchAll(/[^\s\-–—/?|\u2e80-\uffff]{2,}/gu)) {
      if (word[0].length > 24) continue;
      range.setStart(node, word.index);
      range.setEnd(node, word.index + word[0].length);
      if (new Set([...range.getClientRects()].map((rect) => Math.round(rect.top))).size > 1)
        problems.push(`the word ${short(word[0])} is broken`);
    }
    const letters = node.data.trim().length / lines.length;
    if (lines.length > 3 && letters < 3) problems.push(`${short(node.data)} is squeezed to ${lines.length} lines`);
  }

  for (const text of document.querySelectorAll('svg text')) {
    if (!text.textContent.trim() || !text.checkVisibility()) continue;
    const [rect, all] = [text.getBoundingClientRect(), text.ownerSVGElement.getBoundingClientRect()];
    if (rect.left < all.left - 1 || rect.right > all.right + 1 || rect.top < all.top - 1 || rect.bottom > all.bottom + 1)
      problems.push(`${short(text.textContent)} is cut by its drawing`);
    const pixels = parseFloat(style(text).fontSize) * Math.sqrt(Math.abs(text.getScreenCTM().a * text.getScreenCTM().d
      - text.getScreenCTM().b * text.getScreenCTM().c));
    if (!isPrinted && pixels < 10) problems.push(`${short(text.textContent)} is too small: ${pixels.toFixed(1)} px`);
    add(text, text.textContent, rect);
  }

  // Boxes of lines are higher than their letters.
  pieces.sort((one, other) => one.top - other.top);
  for (let i = 0; i < pieces.length; i++) {
    for (let j = i + 1; j < pieces.length && pieces[j].top < pieces[i].bottom; j++) {
      const [one, other] = [pieces[i], pieces[j]];
      const across = Math.min(one.right, other.right) - Math.max(one.left, other.left);
      const down = Math.min(one.bottom, other.bottom) - Math.max(one.top, other.top);
      if (across > 2 && down > 0.4 * Math.min(one.bottom - one.top, other.bottom - other.top))
        problems.push(`${short(one.text)} covers ${short(other.text)}`);
    }
  }

  // The contrast that WCAG 2 asks for, of letters of ordinary size.
  const canvas = document.createElement('canvas').getContext('2d', { willReadFrequently: true });
  const colour = (text, below) => {
    canvas.fillStyle = `rgb(${below.join(' ')})`;
    canvas.fillRect(0, 0, 1, 1);
    canvas.fillStyle = text;
    canvas.fillRect(0, 0, 1, 1);
    return [...canvas.getImageData(0, 0, 1, 1).data].slice(0, 3);
  };
  const ground = (element) => element
    ? colour(style(element).backgroundColor, ground(element.parentElement))
    : matchMedia('(prefers-color-scheme: dark)').matches && !isPrinted ? [18, 18, 18] : [255, 255, 255];
  const light = (rgb) => {
    const [r, g, b] = rgb.map((value) => value / 255).map((value) => (value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const judged = new Set();
  for (const piece of pieces) {
    if (judged.has(piece.element)) continue;
    judged.add(piece.element);
    const below = ground(piece.element);
    const own = style(piece.element);
    const [one, other] = [light(colour(piece.element.closest('svg') ? own.fill : own.color, below)), light(below)];
    const contrast = (Math.max(one, other) + 0.05) / (Math.min(one, other) + 0.05);
    if (contrast < 4.5) problems.push(`${short(piece.text)} is too faint: its contrast is ${contrast.toFixed(1)}`);
  }

  for (const chart of document.querySelectorAll('svg.chart')) {
    const axes = [...chart.querySelectorAll('text.axis')].map((axis) => axis.textContent);
    if (axes.length !== 2) problems.push(`a chart has ${axes.length} axes with a title: ${chart.textContent.slice(0, 60)}`);
    for (const axis of axes) if (!/\S.* \([^()]+\)$/.test(axis)) problems.push(`the axis ${short(axis)} has no unit`);
  }

  return [...new Set(problems)].slice(0, 10);
})()
