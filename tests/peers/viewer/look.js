// Opens a study in OHIF as a reader does, and writes down what is on the screen: seen.json and screenshots.
// Usage: node look.js PLAN.json. What a plan holds and what comes back is in viewing.py.
'use strict';

const fs = require('node:fs');
const path = require('node:path');
const { chromium } = require('playwright-core');

const FLAGS = ['--no-sandbox', '--use-gl=angle', '--use-angle=swiftshader', '--enable-unsafe-swiftshader'];
const WINDOW = { width: 1440, height: 900 };
const PATIENCE_MS = 45_000;
const STILL_MS = 250;
const PDF_MS = 1500; // nothing in the page tells when the browser's own PDF viewer has drawn
const TOUR = '.shepherd-modal-overlay-container, .shepherd-element { display: none !important; }';
const PANE = '[data-cy="viewport-pane"]';

async function main(plan) {
  const browser = await chromium.launch({ executablePath: plan.chromium, args: FLAGS });
  const seen = { errors: [] };
  try {
    const context = await browser.newContext({ viewport: WINDOW, serviceWorkers: 'block' });
    context.setDefaultTimeout(PATIENCE_MS);
    const page = await context.newPage();
    page.on('pageerror', error => seen.errors.push(String(error)));
    try {
      await look(page, plan, seen);
    } catch (error) {
      await page.screenshot({ path: path.join(plan.out, 'where_it_stopped.png') });
      throw new Error([error.stack, ...seen.errors].join('\n'));
    }
  } finally {
    await browser.close();
    fs.writeFileSync(path.join(plan.out, 'seen.json'), JSON.stringify(seen, null, 1));
  }
}

async function look(page, plan, seen) {
  await page.addInitScript(toolsInThePage);
  await page.goto(`${plan.address}/viewer?StudyInstanceUIDs=${plan.study}`);
  await page.addStyleTag({ content: TOUR });
  // OHIF opens a series of its own choice first, and fails when it is asked for another one before it has.
  await page.locator(`${PANE} canvas`).first().waitFor();
  await page.waitForFunction(() => shownImage() !== '');
  await openImages(page, plan.t2);
  seen.t2 = await lookAtSlice(page, plan, plan.slices[0], '1_T2');
  await openSegmentation(page, plan.seg);
  seen.seg = [];
  for (const [index, slice] of plan.slices.entries()) {
    seen.seg.push(await lookAtSlice(page, plan, slice, `2_SEG_on_T2_slice_${index + 1}`));
  }
  seen.volume_mm3 = await measuredVolume(page);
  await lookAtSegmentList(page, plan);
  seen.report = await readReport(page, plan);
  await openImages(page, plan.page);
  seen.page = await lookAtImage(page, plan, '5_summary_page');
  if (plan.document) await openDocument(page, plan);
}

/** Runs in the page before OHIF's own scripts. */
function toolsInThePage() {
  window.shown = () => {
    const { viewportGridService, cornerstoneViewportService } = window.services ?? {};
    return cornerstoneViewportService?.getCornerstoneViewport(viewportGridService.getActiveViewportId());
  };
  window.shownImage = () => window.shown()?.getCurrentImageId?.() ?? '';
  // Its place in the window, and in it those of the image's first pixel and of that one's neighbours.
  window.shownDrawing = () => {
    const viewport = window.shown();
    const { imageData } = viewport.getImageData();
    const { left, top } = viewport.canvas.getBoundingClientRect();
    const at = (column, row) => viewport.worldToCanvas(imageData.indexToWorld([column, row, 0]));
    const corners = { origin: at(0, 0), right: at(1, 0), below: at(0, 1) };
    return { drawing: viewport.canvas.toDataURL(), left, top, ...corners };
  };
}

/** A double click on the series' thumbnail. */
async function openSeries(page, series) {
  const uid = await page.waitForFunction(
    wanted => window.services?.displaySetService?.getDisplaySetsForSeries(wanted)?.[0]?.displaySetInstanceUID,
    series
  );
  await page.locator(`[id="thumbnail-${await uid.jsonValue()}"]`).dblclick();
}

async function openImages(page, series) {
  await openSeries(page, series);
  await page.waitForFunction(wanted => shownImage().includes(wanted), series);
}

/** OHIF shows the images that the segmentation belongs to, and asks whether to load it over them. */
async function openSegmentation(page, series) {
  await openSeries(page, series);
  await page.getByRole('button', { name: 'Yes', exact: true }).click();
  await page.waitForFunction(() => cornerstoneTools.segmentation.state.getSegmentations().length > 0);
}

/** A moment after it has loaded a segmentation, OHIF goes to a slice of its own choice: so ask until it stays. */
async function lookAtSlice(page, plan, instance, name) {
  const isShown = () => page.evaluate(wanted => shownImage().includes(wanted), instance);
  let look;
  do {
    await page.waitForFunction(goToSlice, instance, { polling: STILL_MS });
    look = await lookAtImage(page, plan, name);
  } while (!(await isShown()));
  return look;
}

/** Runs in the page. Whether the slice is shown; asks for it where it is not. */
function goToSlice(wanted) {
  const viewport = shown();
  const index = viewport.getImageIds().findIndex(id => id.includes(wanted));
  if (index >= 0 && viewport.getCurrentImageIdIndex() !== index) viewport.setImageIdIndex(index);
  return shownImage().includes(wanted);
}

/** The window as a person sees it, and the image in it alone, without the viewer's own signs over it. */
async function lookAtImage(page, plan, name) {
  await takePicture(page, plan, name);
  const { drawing, ...place } = await page.evaluate(() => shownDrawing());
  fs.writeFileSync(path.join(plan.drawings, `${name}.png`), Buffer.from(drawing.split(',')[1], 'base64'));
  return { name, ...place };
}

/** What OHIF's own tools measure in the only segment, mm³. */
function measuredVolume(page) {
  return page.evaluate(async () => {
    const [{ segmentationId }] = cornerstoneTools.segmentation.state.getSegmentations();
    const { getStatistics } = cornerstoneTools.utilities.segmentation;
    return (await getStatistics({ segmentationId, segmentIndices: [1], mode: 'collective' })).volume.value;
  });
}

async function lookAtSegmentList(page, plan) {
  await page.locator('[data-cy="panelSegmentation-btn"]').click();
  await lookAtSlice(page, plan, plan.slices[0], '3_SEG_and_its_name');
  await page.locator('[data-cy="side-panel-header-right"]').click();
}

/** A screenshot of the whole window, once two in a row are the same. */
async function takePicture(page, plan, name) {
  const deadline = Date.now() + PATIENCE_MS;
  let before = await page.screenshot();
  for (;;) {
    await page.waitForTimeout(STILL_MS);
    const after = await page.screenshot();
    if (after.equals(before)) {
      fs.writeFileSync(path.join(plan.out, `${name}.png`), after);
      return;
    }
    if (Date.now() > deadline) throw new Error(`the window never stood still for ${name}`);
    before = after;
  }
}

/** The text of the tree, and pictures of its beginning and of its numbers. */
async function readReport(page, plan) {
  await openSeries(page, plan.report);
  const numbers = page.locator(PANE).getByText('Imaging Measurements').first();
  await numbers.waitFor({ state: 'attached' });
  await takePicture(page, plan, '4_report');
  await numbers.evaluate(heading => heading.scrollIntoView());
  await takePicture(page, plan, '4_report_numbers');
  return page.locator(PANE).first().innerText();
}

/** Keeps the bytes that OHIF gives to the browser's PDF viewer, and how that shows them. */
async function openDocument(page, plan) {
  await openSeries(page, plan.document);
  const frame = page.locator(`${PANE} object[data][type="application/pdf"]`);
  await frame.waitFor({ state: 'attached' });
  const address = await frame.evaluate(element => element.data);
  const bytes = await page.evaluate(async from => Array.from(new Uint8Array(await (await fetch(from)).arrayBuffer())), address);
  fs.writeFileSync(path.join(plan.out, '6_document.pdf'), Buffer.from(bytes));
  await page.waitForTimeout(PDF_MS);
  await takePicture(page, plan, '6_document');
}

main(JSON.parse(fs.readFileSync(process.argv[2], 'utf8'))).catch(error => {
  console.error(error);
  process.exitCode = 1;
});
