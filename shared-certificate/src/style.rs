//! How the page looks: in black and white, on A4 and on Letter, without anything that must be loaded.

/// The style sheet.
pub const STYLE: &str = "
@page { margin: 13mm 18mm; }
* { box-sizing: border-box; }
html { font: 9.75pt/1.36 Georgia, 'Times New Roman', 'Liberation Serif', serif; color: #000; background: #fff; }
body { max-width: 174mm; margin: 0 auto; padding: 10mm 0; }
@media print { body { padding: 0; max-width: none; } }
header { border-bottom: 1.5pt solid #000; padding-bottom: 2mm; margin-bottom: 3.5mm; }
h1 { font-size: 19pt; line-height: 1.15; margin: 0 0 1mm; font-weight: normal; }
header p { margin: 0; }
h2 { font-size: 11pt; margin: 3.4mm 0 1mm; break-after: avoid; }
p { margin: 0 0 1.5mm; }
table + p { margin-top: 1.2mm; }
table { width: 100%; border-collapse: collapse; }
tr { break-inside: avoid; }
th, td { text-align: left; vertical-align: top; padding: 0.55mm 4mm 0.55mm 0; border-top: 0.4pt solid #999; }
th { font-weight: normal; color: #333; }
table.facts th { width: 44mm; }
table.copies thead th { border-top: 0; border-bottom: 0.8pt solid #000; }
table.copies thead + tbody tr:first-child td { border-top: 0; }
td:last-child, th:last-child { padding-right: 0; }
code { font: 8.5pt/1.3 'DejaVu Sans Mono', 'Liberation Mono', Consolas, monospace; overflow-wrap: anywhere; }
ul { margin: 0; padding-left: 5mm; }
li { margin-bottom: 0.4mm; break-inside: avoid; }
.void { border: 1.5pt solid #000; padding: 2.5mm 4mm; margin-bottom: 5mm; font-weight: bold; }
footer { margin-top: 3.5mm; border-top: 0.8pt solid #000; padding-top: 1.5mm; font-size: 8.75pt; }
section, .keep { break-inside: avoid; }
";
