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

  // "−1,5e3", "1 024", "1/3": numbers as people write them; NaN if it is none.
  function asNumber(text) {
    let plain = text.trim().replace(/[\u2212\u2013]/g, "-").replace(/[\s_\u202f]/g, "");
    if (/^[-+]?\d{1,3}(,\d{3})+(\.\d*)?$/.test(plain)) plain = plain.replace(/,/g, "");
    else if (!plain.includes(".")) plain = plain.replace(",", ".");
    const one = "[-+]?(?:\\d+\\.?\\d*|\\.\\d+)(?:[eE][-+]?\\d+)?";
    const match = plain.match(new RegExp(`^(${one})(?:/(${one})|(%))?$`));
    return match ? Number(match[1]) / (match[2] ? Number(match[2]) : match[3] ? 100 : 1) : NaN;
  }
  const near = (value, [target, margin]) =>
    Math.abs(value - target) <= margin + 1e-9 * Math.max(margin, Math.abs(target));
  const sameText = (one, other) => {
    const plain = (text) => text.toLowerCase().trim().replace(/\s+/g, " ");
    return plain(one) === plain(other);
  };
  const sameOutput = (one, other) => {
    const plain = (text) => text.replace(/\r/g, "").replace(/[ \t]+$/gm, "").replace(/^\n+|\n+$/g, "");
    return plain(one) === plain(other);
  };
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
        const value = asNumber(given);
        if (Number.isNaN(value))
          return ["", "That is not a number. Write it in digits: 0.25, 1.5e-7, 1/3.", []];
        return near(value, this.right) ? ["right", "", []]
          : ["wrong", "", find((wrong) => near(value, wrong))];
      }
      if (this.kind in TYPED) {
        const fits = this.kind === "trace" ? sameOutput : sameText;
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
