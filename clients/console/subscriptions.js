/** The topics that this page listens to. They outlive a connection: each new one subscribes to them again. */

import { $, button, h } from "./dom.js";

export class Subscriptions {
  /**
   * @param {import("./contract.js").Contract} contract
   * @param {() => boolean} isOpen
   * @param {(action: string, payload: string, call: object) => void} transmit
   */
  constructor(contract, isOpen, transmit) {
    this.isOpen = isOpen;
    this.transmit = transmit;
    this.topics = new Map(); // topic or filter, and whether the server has agreed
    $("topic-names").replaceChildren(...contract.topics.map(({ address }) => h("option", { value: address })));
    $("topics").hidden = !contract.actions.has("ws.subscribe") && !contract.topics.length;
    $("topic").addEventListener("input", () => ($("topic-problem").hidden = true));
    $("topic-form").addEventListener("submit", (event) => {
      event.preventDefault();
      const topic = $("topic").value.trim();
      if (!topic || !isOpen()) {
        this.#complain(topic ? "Connect first." : "Write the name of a topic.");
        return;
      }
      $("topic").value = "";
      $("topic-problem").hidden = true;
      this.topics.set(topic, false);
      this.#show();
      this.#subscribe(topic);
    });
  }

  /** There is a new connection. */
  again() {
    for (const topic of this.topics.keys()) this.#subscribe(topic);
  }

  /** There is none any more. */
  lost() {
    for (const topic of this.topics.keys()) this.topics.set(topic, false);
    this.#show();
  }

  /** The server has agreed to a subscription, or ended or refused it. */
  answered(topic, subscribed, problem) {
    if (typeof topic !== "string") return;
    if (subscribed) this.topics.set(topic, true);
    else this.topics.delete(topic);
    if (problem) this.#complain(`${topic}: ${problem.detail ?? problem.title ?? problem.code}`);
    this.#show();
  }

  #subscribe(topic) {
    this.transmit("ws.subscribe", JSON.stringify({ topic }), { topic });
  }

  #unsubscribe(topic) {
    if (this.isOpen()) this.transmit("ws.unsubscribe", JSON.stringify({ topic }), {});
    else this.answered(topic, false);
    $("topic").focus();
  }

  #complain(words) {
    $("topic-problem").textContent = words;
    $("topic-problem").hidden = false;
  }

  #show() {
    const chips = [...this.topics].map(([topic, live]) => {
      const remove = button("×", () => this.#unsubscribe(topic), { class: "chip-remove", "aria-label": `Unsubscribe from ${topic}` });
      return h("li", {}, h("span", { class: live ? "tag plain live" : "tag plain" }, topic, live ? null : " …", remove));
    });
    $("topic-list").replaceChildren(...chips);
    $("topic-count").textContent = this.topics.size ? `(${this.topics.size})` : "";
  }
}
