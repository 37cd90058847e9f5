//! An answer that goes on and on, line by line.

use std::fmt;

use http_body_util::BodyExt;
use kube::client::Body;

use crate::connection::Silence;

/// No line is longer: an object of the API is at most a few megabytes.
const MAX_LINE: usize = 16 << 20;

/// The lines of a body as they come.
pub(crate) struct Lines<B = Body> {
    body: B,
    buffer: Vec<u8>,
    /// Where in the buffer the next line begins, and up to where there is no end of it.
    begin: usize,
    scanned: usize,
}

impl<B> fmt::Debug for Lines<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lines").field("buffered", &self.buffer.len()).finish_non_exhaustive()
    }
}

impl<B> Lines<B>
where
    B: BodyExt + Unpin,
    B::Data: AsRef<[u8]>,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    pub(crate) const fn new(body: B) -> Self {
        Self { body, buffer: Vec::new(), begin: 0, scanned: 0 }
    }

    /// The next whole line without its end; `None` when the answer has ended. Half a line at the end is an error. May be
    /// dropped while it waits: nothing is lost.
    pub(crate) async fn next(&mut self) -> Result<Option<&[u8]>, Silence> {
        loop {
            let rest = self.buffer.get(self.scanned..).unwrap_or_default();
            if let Some(at) = rest.iter().position(|byte| *byte == b'\n') {
                let line = self.begin..self.scanned + at;
                self.begin = line.end + 1;
                self.scanned = self.begin;
                return Ok(self.buffer.get(line));
            }
            self.buffer.drain(..self.begin);
            (self.begin, self.scanned) = (0, self.buffer.len());
            if self.buffer.len() > MAX_LINE {
                return Err(Silence("a line that is too long".into()));
            }
            match self.body.frame().await {
                Some(Ok(frame)) => {
                    if let Some(data) = frame.data_ref() {
                        self.buffer.extend_from_slice(data.as_ref());
                    }
                }
                Some(Err(error)) => return Err(Silence(error.into())),
                None if self.buffer.is_empty() => return Ok(None),
                None => return Err(Silence("the answer ends in the middle of a line".into())),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use http_body_util::StreamBody;
    use hyper::body::{Bytes, Frame};

    use super::*;

    async fn read(parts: &[&str]) -> Result<Vec<String>, Silence> {
        let frames: Vec<Result<_, std::io::Error>> =
            parts.iter().map(|part| Ok(Frame::data(Bytes::from((*part).to_owned())))).collect();
        let body = StreamBody::new(futures_util::stream::iter(frames));
        let (mut lines, mut all) = (Lines::new(body), Vec::new());
        while let Some(line) = lines.next().await? {
            all.push(String::from_utf8_lossy(line).into_owned());
        }
        Ok(all)
    }

    #[tokio::test]
    async fn lines_are_whole_however_they_come() {
        for parts in [&["ab\ncd\n\nx\n"][..], &["a", "b\nc", "d\n", "\n", "x\n"], &["ab\n", "cd\n\nx", "\n"]]
        {
            assert_eq!(read(parts).await.unwrap(), ["ab", "cd", "", "x"], "{parts:?}");
        }
        assert_eq!(read(&[]).await.unwrap(), [""; 0]);
        assert!(read(&["ab\n", "c"]).await.is_err(), "half a line is no line");
        let endless = "x".repeat(1 << 20);
        let endless: Vec<&str> = (0..17).map(|_| endless.as_str()).collect();
        assert!(read(&endless).await.is_err());
    }
}
