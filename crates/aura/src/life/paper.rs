// SPDX-License-Identifier: MIT OR Apache-2.0
//! The files of the sample life: small valid PNG pictures and one-page PDF letters.
//!
//! Both are written without compression. Source: PNG (ISO 15948), RFC 1950, RFC 1951, PDF 1.4.

use std::fmt::Write as _;

/// A square picture of bands and a disc in two colours, `side` pixels wide (at most 64).
pub(super) fn picture(side: u8, paper: [u8; 3], ink: [u8; 3]) -> Vec<u8> {
    let side = side.clamp(1, 64);
    let mut rows = Vec::new();
    for y in 0..side {
        rows.push(0);
        for x in 0..side {
            let (dx, dy) = (i32::from(x) * 2 - i32::from(side), i32::from(y) * 2 - i32::from(side));
            let is_disc = dx * dx + dy * dy < i32::from(side) * i32::from(side) / 3;
            rows.extend_from_slice(if is_disc || y % 8 == 7 { &ink } else { &paper });
        }
    }
    let size = u32::from(side).to_be_bytes();
    let mut header = [size, size].concat();
    header.extend_from_slice(&[8, 2, 0, 0, 0]);
    let mut png = b"\x89PNG\r\n\x1a\n".to_vec();
    chunk(&mut png, *b"IHDR", &header);
    chunk(&mut png, *b"IDAT", &stored(&rows));
    chunk(&mut png, *b"IEND", &[]);
    png
}

/// A one-page letter in ASCII: a title and lines.
pub(super) fn letter(title: &str, lines: &[String]) -> Vec<u8> {
    let mut page = format!("BT /F1 18 Tf 60 760 Td ({}) Tj /F1 11 Tf\n", escape(title));
    for line in lines {
        let _ = writeln!(page, "0 -20 Td ({}) Tj", escape(line));
    }
    page.push_str("ET");
    let objects = [
        "<< /Type /Catalog /Pages 2 0 R >>".to_owned(),
        "<< /Type /Pages /Kids [3 0 R] /Count 1 >>".to_owned(),
        "<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Contents 4 0 R \
         /Resources << /Font << /F1 5 0 R >> >> >>"
            .to_owned(),
        format!("<< /Length {} >>\nstream\n{page}\nendstream", page.len()),
        "<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>".to_owned(),
    ];
    let mut pdf = "%PDF-1.4\n".to_owned();
    let mut table = "xref\n0 6\n0000000000 65535 f \n".to_owned();
    for (index, object) in objects.iter().enumerate() {
        let _ = writeln!(table, "{:010} 00000 n ", pdf.len());
        let _ = write!(pdf, "{} 0 obj\n{object}\nendobj\n", index + 1);
    }
    let start = pdf.len();
    let _ = write!(pdf, "{table}trailer << /Size 6 /Root 1 0 R >>\nstartxref\n{start}\n%%EOF\n");
    pdf.into_bytes()
}

fn escape(text: &str) -> String {
    text.chars()
        .filter(char::is_ascii)
        .map(|c| if matches!(c, '(' | ')' | '\\') { format!("\\{c}") } else { c.to_string() })
        .collect()
}

fn chunk(png: &mut Vec<u8>, name: [u8; 4], content: &[u8]) {
    let named = [&name, content].concat();
    png.extend_from_slice(&u32::try_from(content.len()).unwrap_or(0).to_be_bytes());
    png.extend_from_slice(&named);
    png.extend_from_slice(&crc(&named).to_be_bytes());
}

/// A zlib stream of stored blocks.
fn stored(bytes: &[u8]) -> Vec<u8> {
    let mut stream = vec![0x78, 0x01];
    for block in bytes.chunks(0xffff) {
        let length = u16::try_from(block.len()).unwrap_or(0);
        stream.push(0);
        stream.extend_from_slice(&length.to_le_bytes());
        stream.extend_from_slice(&(!length).to_le_bytes());
        stream.extend_from_slice(block);
    }
    stream.extend_from_slice(&[1, 0, 0, 0xff, 0xff]);
    let (low, high) = bytes.iter().fold((1_u32, 0_u32), |(low, high), byte| {
        let low = (low + u32::from(*byte)) % 65_521;
        (low, (high + low) % 65_521)
    });
    stream.extend_from_slice(&(high << 16 | low).to_be_bytes());
    stream
}

fn crc(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(u32::MAX, |sum, byte| {
        (0..8).fold(sum ^ u32::from(*byte), |sum, _| {
            (sum >> 1) ^ (0xedb8_8320 & (sum & 1).wrapping_neg())
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn crc_known_answer_and_file_marks() {
        assert_eq!(crc(b"123456789"), 0xcbf4_3926);
        assert!(picture(32, [255; 3], [0; 3]).starts_with(b"\x89PNG\r\n\x1a\n"));
        assert!(letter("A (b)", &[]).ends_with(b"%%EOF\n"));
    }
}
