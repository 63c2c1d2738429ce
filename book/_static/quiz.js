/* Brings the questions at a chapter's end to life. The page holds everything: what
   is right stands in each form's data, the replies in the fold below it. Answers
   stay in this browser, where it lets them. */
"use strict";

(() => {
  const PREFIX = "every-line-runs:quiz:";
  const TYPED = { number: "Write a number first.", text: "Write an answer first.",
    trace: "Write what it prints first." };

  // What was answered, by question; forgotten with the page where nothing may be stored.
  const memory = {
    get(id) {
      try { return JSON.parse(localStorage.getItem(PREFIX + id)); } catch { return null; }
    },
    set(id, value) {
      try {
        if (value) localStorage.setItem(PREFIX + id, JSON.stringify(value));
        else localStorage.removeItem(PREFIX + id);
      } catch { /* a private window, a full disk: the page works without */ }
    },
  };

  // What follows reads and compares answers as `loom quiz` does (loom/quiz/marking.py).

  // Neither case nor spaces matter, nor a space beside a bracket, a comma, a colon;
  // 7.0, 7. and 7 are one number, as are 0.5 and .5.
  const typed = (text) => text
    .replace(/(^|[^\w.])(?:(\d+)\.0*(?![\w.])|(?=\.\d))/g, (_, before, whole) => before + (whole || "0"))
    .trim().split("\n")
    .map((line) => line.toLowerCase().trim().replace(/\s+/g, " "))
    .filter(Boolean)
    .map((line) => line.replace(/\s*([[\](){},:])\s*/g, "$1"))
    .join("\n");

  // "262,144", "2^18", "1/3", "5 %", "1.5 nats"; NaN for what is no number.
  function asNumber(text, unit, ask) {
    const said = text.trim().replace(/[\u2212\u2013]/g, "-").replace(/[·×⋅]/g, "*")
      .replace(/\u00a0/g, " ").replace(/[’_]/g, "").replace(/[. ]+$/, "");
    const match = said.match(/^(.*?[\d.)])\s*(%|\p{L}[^\d]*)?$/su);
    if (!match) return NaN;
    const word = typed(match[2] || ""), percents = ["%", "percent", "per cent"];
    const value = evaluate(match[1]);
    if (percents.includes(word))
      return unit && percents.includes(typed(unit)) ? value : value / 100;
    const bare = (one) => one.replace(/[s.]+$/, "");
    const asked = new Set((typed(ask).match(/[\p{L}\d]+/gu) || []).map(bare));
    const fits = !word || (unit ? bare(word) === bare(typed(unit.replace(/`/g, "")))
      : (word.match(/[\p{L}\d]+/gu) || []).every((one) => asked.has(bare(one))));
    return fits ? value : NaN;
  }

  // Arithmetic on plain numbers, by hand: nothing that was typed is ever run.
  function evaluate(text) {
    const source = text.replace(/(\d) (?=\d{3}\b)/g, "$1").replace(/[\d.,]+/g, separators)
      .replace(/\^/g, "**").replace(/\s+/g, "");
    const tokens = source.match(/(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?|\*\*|[-+*/()]/g) || [];
    if (tokens.join("") !== source) return NaN;
    let at = 0;
    const factor = () => {
      if ("-+".includes(tokens[at] || "?")) return tokens[at++] === "-" ? -factor() : factor();
      let base = NaN;
      if (tokens[at] === "(") {
        at += 1;
        base = sum();
        if (tokens[at] !== ")") return NaN;
      } else if (/\d/.test(tokens[at] || "")) base = Number(tokens[at]);
      at += 1;
      if (tokens[at] !== "**") return base;
      at += 1;
      return base ** factor();
    };
    const product = () => {
      let value = factor();
      while (tokens[at] === "*" || tokens[at] === "/")
        value = tokens[at++] === "*" ? value * factor() : value / factor();
      return value;
    };
    const sum = () => {
      let value = product();
      while (tokens[at] === "+" || tokens[at] === "-")
        value = tokens[at++] === "+" ? value + product() : value - product();
      return value;
    };
    const value = sum();
    return at === tokens.length && Number.isFinite(value) ? value : NaN;
  }

  // A comma with three digits behind it groups them, any other is a point.
  function separators(number) {
    const point = number.lastIndexOf("."), comma = number.lastIndexOf(",");
    if (comma < 0)
      return /^[1-9]\d{0,2}(\.\d{3}){2,}$/.test(number) ? number.replaceAll(".", "") : number;
    if (point > comma || /^[1-9]\d{0,2}(,\d{3})+$/.test(number)) return number.replaceAll(",", "");
    return number.replaceAll(".", "").replaceAll(",", ".");
  }

  const near = (value, [target, margin]) =>
    Math.abs(value - target) <= margin * (1 + 1e-9) + Math.abs(target) * 1e-12;
  const same = (one, other) => one.length === other.length && one.every((x, n) => x === other[n]);

  function make(tag, words, className) {
    const element = document.createElement(tag);
    if (words) element.textContent = words;
    if (className) element.className = className;
    return element;
  }

  class Question {
    constructor(form, changed) {
      this.form = form;
      this.id = form.id.replace(/^q-/, "");
      this.kind = form.dataset.kind;
      this.right = JSON.parse(form.dataset.right);
      this.result = form.querySelector(".question-result");
      this.replies = [...form.querySelectorAll(".reply")];
      this.changed = changed;
      form.querySelector("button[type=submit]").hidden = false;
      if (this.kind === "order") this.makeMovable();
      form.addEventListener("submit", (event) => { event.preventDefault(); this.check(); });
      form.addEventListener("input", () => this.note());
      const kept = memory.get(this.id);
      if (kept) {
        this.given = kept.given;
        if (kept.checked) this.tell();
      }
    }

    get inputs() { return [...this.form.querySelectorAll("input, textarea")]; }
    get steps() { return [...this.form.querySelectorAll("li.choice")]; }

    get given() {
      if (this.kind === "order") return this.steps.map((step) => step.dataset.letter);
      if (this.kind in TYPED) return this.inputs[0].value;
      return this.inputs.filter((input) => input.checked).map((input) => input.value);
    }

    set given(value) {
      if (this.kind in TYPED) {
        this.inputs[0].value = typeof value === "string" ? value : "";
      } else if (this.kind === "order") {
        const known = new Map(this.steps.map((step) => [step.dataset.letter, step]));
        if (!Array.isArray(value) || !same([...value].sort(), [...known.keys()].sort())) return;
        value.forEach((letter) => known.get(letter).parentElement.append(known.get(letter)));
        this.renumber();
      } else {
        for (const input of this.inputs)
          input.checked = Array.isArray(value) && value.includes(input.value);
      }
    }

    // Something was typed or chosen: keep it; what was said of the last answer is old.
    note() {
      this.say();
      memory.set(this.id, { given: this.given });
      this.changed();
    }

    check() {
      memory.set(this.id, { given: this.given, checked: true });
      this.tell();
      this.changed();
    }

    forget() {
      this.say();
      memory.set(this.id, null);
      this.form.reset();
      if (this.kind === "order")
        this.given = this.steps.map((step) => step.dataset.letter).sort();
    }

    // What to say: the state ("" if there is nothing to judge yet), words, replies.
    judge() {
      const given = this.given;
      const find = (fits) => this.replies.filter(
        (reply) => reply.dataset.given && fits(JSON.parse(reply.dataset.given))).slice(0, 1);
      if (this.kind in TYPED && !given.trim()) return ["", TYPED[this.kind], []];
      if (this.kind === "number") {
        const value = asNumber(given, this.form.dataset.unit,
          this.form.querySelector(".question-ask").textContent);
        if (Number.isNaN(value))
          return ["", `That is no number${this.form.dataset.unit
            ? ` in ${this.form.dataset.unit}` : ""}. Write it in digits: 0.25, 1.5e-7, 1/3.`, []];
        return near(value, this.right) ? ["right", "", []]
          : ["wrong", "", find((wrong) => near(value, wrong))];
      }
      if (this.kind in TYPED) {
        const fits = (one, other) => typed(one) === typed(other);
        return this.right.some((right) => fits(given, right)) ? ["right", "", []]
          : ["wrong", "", find(([wrong]) => fits(given, wrong))];
      }
      if (this.kind === "order")
        return same(given, this.right) ? ["right", "", []] : ["wrong", "", this.replies];
      if (!given.length) return ["", "Choose an answer first.", []];
      const chosen = this.replies.filter((reply) => given.includes(reply.dataset.letter));
      if (same(given, this.right)) return ["right", "", chosen];
      const wrong = chosen.filter((reply) => !reply.classList.contains("reply-right"));
      const missing = this.right.filter((letter) => !given.includes(letter)).length;
      const words = this.kind === "single" || !missing ? ""
        : missing === 1 ? "One that holds is missing." : `${missing} that hold are missing.`;
      return ["wrong", words, wrong];
    }

    tell() {
      const [state, words, replies] = this.judge();
      if (!state) return this.say("", make("p", words));
      const parts = [make("p", state === "right" ? "Right." : "Not right.", "verdict")];
      for (const reply of replies) {
        const shown = this.copy(reply.querySelector(".reply-text"));
        if (reply.dataset.letter && this.kind === "multiple")
          shown.prepend(make("span", reply.dataset.letter, "reply-of"));
        parts.push(shown);
      }
      if (words) parts.push(make("p", words));
      const more = this.form.querySelector(
        state === "right" ? ".explanation" : ".explanation .quiz-section");
      if (more) parts.push(this.copy(more));
      this.say(state, ...parts);
    }

    say(state = "", ...parts) {
      this.result.replaceChildren(...parts);
      if (state) this.form.dataset.state = state;
      else delete this.form.dataset.state;
    }

    // Names stand once in a page; those of drawn formulas are the same in every copy.
    copy(element) {
      const twin = element.cloneNode(true);
      for (const one of [twin, ...twin.querySelectorAll("[id]:not(svg *)")]) one.removeAttribute("id");
      return twin;
    }

    // -- steps that move, by a list of places or by buttons

    makeMovable() {
      this.heard = make("span", "", "sr-only");
      this.heard.setAttribute("role", "status");
      this.form.querySelector("fieldset").append(this.heard);
      for (const step of this.steps) {
        const place = step.querySelector("select");
        place.addEventListener("input", (event) => {
          event.stopPropagation();
          this.move(step, Number(place.value) - 1, place);
        });
        const buttons = make("span", "", "step-buttons");
        for (const [by, arrow, word] of [[-1, "↑", "up"], [1, "↓", "down"]]) {
          const button = make("button", arrow);
          button.type = "button";
          button.setAttribute("aria-label", `Move step ${step.dataset.letter} ${word}`);
          button.addEventListener("click", () =>
            this.move(step, this.steps.indexOf(step) + by, button));
          buttons.append(button);
        }
        step.append(buttons);
      }
    }

    move(step, to, control) {
      const others = this.steps.filter((one) => one !== step);
      const at = Math.max(0, Math.min(to, others.length));
      step.parentElement.insertBefore(step, others[at] || null);
      this.renumber();
      control.focus();
      this.heard.textContent = `Step ${step.dataset.letter} is now number ${at + 1}.`;
      this.note();
    }

    renumber() {
      this.steps.forEach((step, n) => { step.querySelector("select").value = String(n + 1); });
    }
  }

  for (const quiz of document.querySelectorAll(".quiz")) {
    const bar = quiz.querySelector(".quiz-score");
    let questions = [];
    const count = () => {
      const states = questions.map((question) => question.form.dataset.state).filter(Boolean);
      const right = states.filter((state) => state === "right").length;
      bar.querySelector("p").textContent =
        `${questions.length} questions: ${states.length} answered, ${right} right`;
    };
    questions = [...quiz.querySelectorAll("form.question")].map((form) => new Question(form, count));
    bar.hidden = false;
    bar.querySelector("button").addEventListener("click", () => {
      questions.forEach((question) => question.forget());
      count();
    });
    count();
  }
})();
