//! Addresses that customers are told things at.

use reqwest::Url;

const LONGEST: usize = 2000;

/// Whether it can be called: absolute, of the web, and without a fragment or a password, as addresses are shown.
/// It is kept as it was typed.
pub fn parse_callback_url(text: &str) -> Result<String, String> {
    let text = text.trim();
    let is_usable = |url: &Url| {
        let is_plain = url.fragment().is_none() && url.username().is_empty() && url.password().is_none();
        matches!(url.scheme(), "http" | "https") && url.has_host() && is_plain
    };
    if text.len() > LONGEST || !Url::parse(text).is_ok_and(|url| is_usable(&url)) {
        return Err(format!("must be an absolute http or https URL of at most {LONGEST} characters"));
    }
    Ok(text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::parse_callback_url;

    #[test]
    fn a_callback_url_is_absolute_and_of_the_web() {
        for good in ["https://shop.example/hooks/st", "http://127.0.0.1:9/?x=1", "https://shop.example"] {
            assert_eq!(parse_callback_url(good).as_deref(), Ok(good));
        }
        let long = format!("https://shop.example/{}", "x".repeat(2000));
        for bad in
            ["", "/hooks", "ftp://shop.example", "https://me:pw@shop.example", "https://a.example/#x", &long]
        {
            assert!(parse_callback_url(bad).is_err(), "{bad}");
        }
    }
}
