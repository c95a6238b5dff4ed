import { chromium } from "playwright-core"
const b = await chromium.launch({ executablePath: "/usr/bin/chromium", args: ["--no-sandbox","--disable-gpu","--disable-quic"] })
const p = await b.newPage()
p.on("pageerror", e => console.log("PAGEERR", e.message, e.stack?.slice(0,600)))
p.on("console", m => console.log("CONSOLE", m.type(), m.text().slice(0,400)))
p.on("requestfailed", r => console.log("FAILED", r.url(), r.failure()?.errorText))
p.on("response", r => r.status()>=400 && console.log("STATUS", r.status(), r.url()))
await p.goto(process.argv[2])
for (let i=0;i<8;i++){ await p.waitForTimeout(1500); console.log(await p.evaluate(() => JSON.stringify({phase: window.espalier?.phase, state: window.espalier?.status?.state, ready: window.espalier?.status?.ready, inst: Object.values(window.espalier?.status?.instances??{}).map(i=>i.key+":"+i.state+":"+(i.error?.message??"")) , html: document.querySelector("main")?.innerText.slice(0,200)}))) }
await b.close()
