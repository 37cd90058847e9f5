//! Answers, good and bad.

use super::*;

fn answer(code: u16, content_type: &str, body: &str) -> Answer {
    Answer { code, content_type: content_type.to_owned(), retry_after: Some(7), body: body.into() }
}

fn instant(body: &str) -> String {
    let answer = answer(200, "application/json", body);
    match answer.instant() {
        Ok(points) => {
            points.iter().map(|p| format!("{}@{}", p.value, p.at.as_millis())).collect::<Vec<_>>().join(" ")
        }
        Err(trouble) => trouble.to_string(),
    }
}

#[test]
fn results_of_each_type() {
    for (data, expected) in [
        (r#"{"resultType":"scalar","result":[1700000000.042,"7"]}"#, "7@1700000000042"),
        (r#"{"resultType":"vector","result":[]}"#, ""),
        (r#"{"resultType":"vector","result":[{"metric":{"a":"b"},"value":[1.5,"1e+06"]}]}"#, "1000000@1500"),
        (
            r#"{"resultType":"vector","result":[{"metric":{},"value":[1,"0.5"]},{"metric":{},"value":[1,"-Inf"]}]}"#,
            "0.5@1000 -inf@1000",
        ),
        (r#"{"resultType":"vector","result":[{"metric":{},"value":[1,"NaN"]}]}"#, "NaN@1000"),
        (
            r#"{"resultType":"vector","result":[{"metric":{},"histogram":[1,{"count":"1"}]}]}"#,
            "the query gives a histogram, expected a number",
        ),
        (
            r#"{"resultType":"matrix","result":[]}"#,
            "the query gives a matrix, expected an instant vector or a scalar",
        ),
        (
            r#"{"resultType":"string","result":[1,"x"]}"#,
            "the query gives a string, expected an instant vector or a scalar",
        ),
    ] {
        assert_eq!(instant(&format!(r#"{{"status":"success","data":{data}}}"#)), expected, "{data}");
    }
}

#[test]
fn what_is_odd_is_no_number() {
    for text in ["infinity", "nan", "0x10", "", "1 ", "1e", "ten", "--1"] {
        let body =
            format!(r#"{{"status":"success","data":{{"resultType":"scalar","result":[1,"{text}"]}}}}"#);
        assert_eq!(instant(&body), format!("the answer is not what Prometheus answers: the value 1 {text}"));
    }
    for (body, expected) in [
        ("", "EOF"),
        ("{}", "missing field `status`"),
        (r#"{"status":"success"}"#, "there is no data"),
        (r#"{"status":"success","data":{"resultType":"vector"}}"#, "missing field `result`"),
        (
            r#"{"status":"success","data":{"resultType":"vector","result":[{"metric":{}}]}}"#,
            "a series without a value",
        ),
        (
            r#"{"status":"success","data":{"resultType":"vector","result":[{"value":[1]}]}}"#,
            "invalid length 1",
        ),
        (r#"{"status":"success","data":{"resultType":"vector","result":{}}}"#, "invalid type"),
        (r#"{"status":"success","data":{"resultType":"scalar","result":[1e300,"1"]}}"#, "the value"),
        (
            r#"{"status":"error","errorType":"execution","error":"boom"}"#,
            "the server cannot answer (200): execution: boom",
        ),
        (
            r#"{"status":"success","warnings":["one store did not answer"],"data":{"resultType":"vector","result":[]}}"#,
            "the server warned: one store did not answer",
        ),
    ] {
        let found = instant(body);
        assert!(found.contains(expected), "{body}: {found}");
    }
    let deep = format!(
        r#"{{"status":"success","data":{{"resultType":"vector","result":{}{}}}}}"#,
        "[".repeat(9_000),
        "]".repeat(9_000)
    );
    assert!(instant(&deep).starts_with("the answer is not what Prometheus answers"), "{}", instant(&deep));
    let infos = r#"{"status":"success","infos":["might not be a counter"],"data":{"resultType":"scalar","result":[1,"1"]}}"#;
    assert_eq!(instant(infos), "1@1000", "what the server merely remarks is no warning");
}

#[test]
fn refusals_are_told_apart() {
    let said = |kind: &str| format!(r#"{{"status":"error","errorType":"{kind}","error":"the \"reason\""}}"#);
    for (code, content_type, body, expected) in [
        (
            400,
            "application/json",
            said("bad_data"),
            r#"the query is not valid (400): bad_data: the \"reason\""#,
        ),
        (
            422,
            "application/json",
            said("execution"),
            r#"the query could not be evaluated (422): execution: the \"reason\""#,
        ),
        (
            503,
            "application/json",
            said("timeout"),
            r#"the server cannot answer (503): timeout: the \"reason\""#,
        ),
        (
            502,
            "text/html",
            "<html>bad gateway</html>".to_owned(),
            "the server cannot answer (502): without a reason, as text/html",
        ),
        (500, "", String::new(), "the server cannot answer (500): without a reason, as something unnamed"),
        (302, "text/html", String::new(), "redirected with 302, which is not followed"),
        (401, "text/plain", "Unauthorized".to_owned(), "not logged in (401)"),
        (429, "", String::new(), "too many requests (429)"),
        (
            200,
            "text/html; charset=utf-8",
            "<html>log in</html>".to_owned(),
            "the answer is no JSON but text/html; charset=utf-8",
        ),
    ] {
        let found = answer(code, content_type, &body).instant().unwrap_err();
        assert_eq!(found.to_string(), expected, "{code} {body}");
    }
}

#[test]
fn ranges_have_numbers_for_each_series() {
    let body = r#"{"status":"success","data":{"resultType":"matrix","result":[
        {"metric":{},"values":[[1,"1"],[2,"2"]]},{"metric":{},"values":[[2,"NaN"]]}]}}"#;
    let series = answer(200, "application/json", body).range().unwrap();
    assert_eq!(series.iter().map(Vec::len).collect::<Vec<_>>(), [2, 1]);
    let scalar = r#"{"status":"success","data":{"resultType":"scalar","result":[1,"1"]}}"#;
    assert!(
        answer(200, "application/json", scalar).range().unwrap_err().to_string().contains("gives a scalar")
    );
}
