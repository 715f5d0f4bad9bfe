// Reads an object as a viewer built on dcmjs does, and prints what it sees as JSON.
//   read_with_dcmjs.js SEG IMAGE...   the label map that dcmjs' Cornerstone adapter paints on a stack of images
//   read_with_dcmjs.js SR             the measurement groups of the report
"use strict";
const fs = require("fs");
const dcmjs = require("dcmjs");

const { DicomMessage, DicomMetaDictionary } = dcmjs.data;

const buffer = (file) => {
    const bytes = fs.readFileSync(file);
    return bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length);
};
const naturalised = (file) => DicomMetaDictionary.naturalizeDataset(DicomMessage.readFile(buffer(file)).dict);
const list = (value) => (value === undefined ? [] : Array.isArray(value) ? value : [value]);

/** The metadata that a viewer holds of the images it shows; the path is the image's identifier. */
function provider(images) {
    const headers = Object.fromEntries(images.map((file) => [file, naturalised(file)]));
    const modules = {
        instance: (one) => one,
        sopCommonModule: (one) => ({ sopInstanceUID: one.SOPInstanceUID }),
        generalSeriesModule: (one) => ({ seriesInstanceUID: one.SeriesInstanceUID }),
        imagePixelModule: (one) => ({ rows: one.Rows, columns: one.Columns }),
        imagePlaneModule: (one) => ({
            rows: one.Rows,
            columns: one.Columns,
            rowCosines: list(one.ImageOrientationPatient).slice(0, 3),
            columnCosines: list(one.ImageOrientationPatient).slice(3),
        }),
    };
    return { headers, get: (name, image) => modules[name](headers[image]) };
}

function segmentation(file, images) {
    const metadata = provider(images);
    const state = dcmjs.adapters.Cornerstone.Segmentation.generateToolState(images, buffer(file), metadata);
    const { Rows, Columns } = metadata.headers[images[0]];
    const labels = new Uint16Array(state.labelmapBufferArray[0]);
    const painted = images.map((_, index) => {
        const plane = labels.subarray(index * Rows * Columns, (index + 1) * Rows * Columns);
        return Array.from(plane.keys()).filter((place) => plane[place] === 1);
    });
    const frames = list(naturalised(file).PerFrameFunctionalGroupsSequence).map((groups) => ({
        position: list(groups.PlanePositionSequence)[0].ImagePositionPatient,
        source: list(list(groups.DerivationImageSequence)[0].SourceImageSequence)[0].ReferencedSOPInstanceUID,
    }));
    const segments = list(state.segMetadata.data).filter(Boolean);
    return { painted, frames, segments: segments.map((one) => one.SegmentLabel) };
}

const code = (sequence) => {
    const [one] = list(sequence);
    return one && { value: one.CodeValue, scheme: one.CodingSchemeDesignator, meaning: one.CodeMeaning };
};

function item(content) {
    const [measured] = list(content.MeasuredValueSequence);
    const [reference] = list(content.ReferencedSOPSequence);
    return {
        type: content.ValueType,
        name: code(content.ConceptNameCodeSequence),
        number: measured && Number(measured.NumericValue),
        unit: measured && code(measured.MeasurementUnitsCodeSequence).value,
        text: content.TextValue,
        uid: content.UID,
        code: code(content.ConceptCodeSequence),
        reference: reference && {
            sop_class: reference.ReferencedSOPClassUID,
            instance: reference.ReferencedSOPInstanceUID,
            segment: reference.ReferencedSegmentNumber,
        },
    };
}

function report(file) {
    const dataset = naturalised(file);
    const measurements = list(dataset.ContentSequence).filter(
        (content) => code(content.ConceptNameCodeSequence).value === "126010",
    );
    return {
        title: code(dataset.ConceptNameCodeSequence),
        groups: measurements.flatMap((one) =>
            list(one.ContentSequence).map((group) => list(group.ContentSequence).map(item)),
        ),
    };
}

dcmjs.log.setLevel("error");
const [, , file, ...images] = process.argv;
const seen = naturalised(file).Modality === "SEG" ? segmentation(file, images) : report(file);
process.stdout.write(JSON.stringify(seen));
