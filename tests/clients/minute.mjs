// Two pages of the demo that talk to each other: node minute.mjs SITE PICTURE

import { Browser } from './browser.mjs';
import { until } from './server.mjs';

const [site, picture] = process.argv.slice(2);
const browser = await Browser.launch();
try {
  const [ada, bob] = await Promise.all(['Ada', 'Bob'].map((name) => browser.visit(`${site}/demo?name=${name}`)));
  const say = async (page, text) => {
    await page.fill('#text', text);
    await page.press('#text', 'Enter');
  };
  const hears = (page, line) =>
    until(`"${line}"`, async () => (await page.locator('#log .chat').allTextContents()).includes(line));
  for (const page of [ada, bob]) await until('a link', async () => (await page.locator('#picture line.own').count()) === 1);
  await say(ada, 'hello, is anybody there?');
  await hears(bob, 'Ada hello, is anybody there?');
  await say(bob, 'yes: straight from my browser to yours');
  await hears(ada, 'Bob yes: straight from my browser to yours');
  await ada.screenshot({ path: picture });
} finally {
  await browser.close();
}
