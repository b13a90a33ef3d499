// A page that was opened from a disk may not start workers, and the search runs in one: here it runs in a hidden frame.
"use strict";

class FrameWorker extends EventTarget {
  constructor(url) {
    super();
    const frame = document.body.appendChild(Object.assign(document.createElement("iframe"), { hidden: true }));
    this.inner = frame.contentWindow;
    this.inner.document.open();
    this.inner.document.write("<!doctype html><body></body>");
    this.inner.document.close();
    this.inner.postMessage = (data) => this.dispatchEvent(new MessageEvent("message", { data: structuredClone(data) }));
    this.inner.importScripts = async (...urls) => {
      for (const other of urls) await this.load(other);
    };
    this.loaded = this.load(url);
  }

  load(url) {
    return new Promise((resolve, reject) => {
      const script = this.inner.document.createElement("script");
      Object.assign(script, { src: url, onload: resolve, onerror: () => reject(new Error(`${url} does not load`)) });
      this.inner.document.body.append(script);
    });
  }

  async postMessage(data) {
    await this.loaded;
    this.inner.dispatchEvent(new MessageEvent("message", { data: structuredClone(data) }));
  }
}

if (location.protocol === "file:") window.Worker = FrameWorker;
