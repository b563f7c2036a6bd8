//! QR codes of short links, as pictures.

use std::fmt::Write;

use fast_qr::{ECL, QRBuilder, QRCode};

use super::problem::Problem;

/// How a code is to look.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Look {
    /// The picture's width and height, in pixels.
    pub(crate) size: u32,
    /// The quiet zone around the code, in modules; ISO/IEC 18004 wants 4.
    pub(crate) margin: u32,
    pub(crate) correction: ECL,
    pub(crate) color: Color,
    /// `None`: transparent.
    pub(crate) background: Option<Color>,
}

/// Red, green, blue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Color(pub(crate) [u8; 3]);

impl Color {
    pub(crate) const BLACK: Self = Self([0, 0, 0]);
    pub(crate) const WHITE: Self = Self([255, 255, 255]);

    /// Reads `rrggbb`, with or without a `#` before it.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let digits = text.strip_prefix('#').unwrap_or(text);
        let number = u32::from_str_radix(digits, 16).ok().filter(|_| digits.len() == 6 && !digits.starts_with('+'))?;
        let [_, red, green, blue] = number.to_be_bytes();
        Some(Self([red, green, blue]))
    }
}

/// A code, laid out on its picture.
pub(crate) struct Picture {
    code: QRCode,
    look: Look,
    /// Pixels per module.
    scale: u32,
    /// Pixels before the first module: the margin, and half of what is left over.
    offset: u32,
}

impl Picture {
    /// The code of `text`.
    ///
    /// # Errors
    /// If the picture is too small for it, or any code is.
    pub(crate) fn new(text: &str, look: Look) -> Result<Self, Problem> {
        // A slug in another script is percent-encoded, and up to 1,536 bytes long: H has room for 1,273 bytes.
        let code = QRBuilder::new(text)
            .ecl(look.correction)
            .build()
            .map_err(|_| Problem::parameter("error_correction", "leaves no room for so long a link; L leaves most"))?;
        let side = u32::try_from(code.size).unwrap_or(u32::MAX);
        let modules = side.saturating_add(2 * look.margin);
        let scale = look.size / modules;
        if scale == 0 {
            return Err(Problem::parameter(
                "size",
                format_args!("must be at least {modules} for this link and margin"),
            ));
        }
        Ok(Self { scale, offset: (look.size - scale * side) / 2, code, look })
    }

    fn is_dark(&self, column: usize, row: usize) -> bool {
        self.code[row][column].value()
    }

    /// As SVG: one rectangle for each run of dark modules.
    pub(crate) fn svg(&self) -> String {
        let Look { size, color: Color([r, g, b]), background, .. } = self.look;
        let mut svg = format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{size}\" height=\"{size}\" viewBox=\"0 0 {size} {size}\" \
             shape-rendering=\"crispEdges\">"
        );
        // Writing to a String cannot fail.
        if let Some(Color([r, g, b])) = background {
            let _ = write!(svg, "<rect width=\"{size}\" height=\"{size}\" fill=\"#{r:02x}{g:02x}{b:02x}\"/>");
        }
        let _ = write!(svg, "<path fill=\"#{r:02x}{g:02x}{b:02x}\" d=\"");
        for row in 0..self.code.size {
            let mut column = 0;
            while column < self.code.size {
                let run = (column..self.code.size).take_while(|at| self.is_dark(*at, row)).count();
                if run > 0 {
                    let [x, y, width] = [column, row, run].map(|modules| modules as u32 * self.scale);
                    let (x, y) = (x + self.offset, y + self.offset);
                    let _ = write!(svg, "M{x} {y}h{width}v{}h-{width}z", self.scale);
                }
                column += run.max(1);
            }
        }
        svg.push_str("\"/></svg>");
        svg
    }

    /// As PNG: one bit per pixel, background first in the palette.
    pub(crate) fn png(&self) -> Result<Vec<u8>, png::EncodingError> {
        let Look { size, color, background, .. } = self.look;
        let mut bytes = Vec::new();
        let mut encoder = png::Encoder::new(&mut bytes, size, size);
        encoder.set_color(png::ColorType::Indexed);
        encoder.set_depth(png::BitDepth::One);
        encoder.set_palette([background.unwrap_or(Color::WHITE).0, color.0].concat());
        if background.is_none() {
            encoder.set_trns(vec![0]);
        }
        encoder.write_header()?.write_image_data(&self.pixels())?;
        Ok(bytes)
    }

    fn pixels(&self) -> Vec<u8> {
        let stride = self.look.size.div_ceil(8) as usize;
        let mut pixels = Vec::with_capacity(stride * self.look.size as usize);
        for y in 0..self.look.size {
            let mut line = vec![0_u8; stride];
            if let Some(row) = self.module(y) {
                for x in 0..self.look.size {
                    if self.module(x).is_some_and(|column| self.is_dark(column, row)) {
                        line[x as usize / 8] |= 0x80 >> (x % 8);
                    }
                }
            }
            pixels.extend(line);
        }
        pixels
    }

    /// The module that a pixel is part of.
    fn module(&self, pixel: u32) -> Option<usize> {
        let module = (pixel.checked_sub(self.offset)? / self.scale) as usize;
        (module < self.code.size).then_some(module)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOOK: Look = Look {
        size: 200,
        margin: 4,
        correction: ECL::M,
        color: Color([0x12, 0x34, 0x56]),
        background: Some(Color::WHITE),
    };

    #[test]
    fn colors() {
        assert_eq!(Color::parse("#123456"), Some(Color([0x12, 0x34, 0x56])));
        assert_eq!(Color::parse("FFffFF"), Some(Color::WHITE));
        for bad in ["", "#", "red", "#12345", "#1234567", "+12345", "#ggffff", "ää345"] {
            assert_eq!(Color::parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn a_picture_has_its_size_and_its_quiet_zone() {
        let picture = Picture::new("https://go.example.com/abc", LOOK).unwrap();
        let svg = picture.svg();
        assert!(svg.starts_with("<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"200\" height=\"200\""));
        assert!(svg.contains("fill=\"#123456\"") && svg.contains("fill=\"#ffffff\""));

        let png = picture.png().unwrap();
        let mut reader = png::Decoder::new(std::io::Cursor::new(png)).read_info().unwrap();
        let mut image = vec![0; reader.output_buffer_size().unwrap()];
        let info = reader.next_frame(&mut image).unwrap();
        assert_eq!((info.width, info.height), (200, 200));
        // The finder's corner is the first dark pixel, behind at least four modules of nothing.
        let first =
            (0..200).find(|y| image[y * info.line_size..][..info.line_size].iter().any(|byte| *byte != 0)).unwrap();
        assert!(first as u32 >= 4 * picture.scale, "{first} {}", picture.scale);
        assert_eq!(first as u32, picture.offset);
    }

    #[test]
    fn a_link_that_no_code_can_hold_is_refused() {
        let text = format!("https://go.example.com/{}", "%F0%90%90%80".repeat(128));
        assert!(Picture::new(&text, Look { correction: ECL::H, size: 4_096, ..LOOK }).is_err());
        assert!(Picture::new(&text, Look { correction: ECL::M, size: 4_096, ..LOOK }).is_ok());
    }

    #[test]
    fn a_picture_that_is_too_small_is_refused() {
        assert!(Picture::new("https://go.example.com/abc", Look { size: 32, ..LOOK }).is_err());
        assert!(Picture::new("https://go.example.com/abc", Look { size: 33, ..LOOK }).is_ok());
    }
}
