//! One connection: request after request, until one side ends it.

use std::io;
use std::sync::Arc;

use tokio::io::AsyncWriteExt;
use tokio::time::Instant;

use super::Record;
use super::Shared;
use super::Verdict;
use super::watch::call;
use super::wire::Body;
use super::wire::Head;
use super::wire::Input;
use super::wire::Stream;

/// What follows an answer.
enum Next {
    Request,
    /// The connection is a plain stream from here on.
    Hijacked,
    End,
}

pub(super) async fn serve(shared: Arc<Shared>, mut client: Stream) {
    let Ok(mut server) = Stream::connect(&shared.upstream).await else { return };
    loop {
        match exchange(&shared, &mut client, &mut server).await {
            Ok(Next::Request) => {}
            Ok(Next::Hijacked) => {
                let (
                    Stream { input: mut from, output: mut back },
                    Stream { input: mut answer, output: mut to },
                ) = (client, server);
                // Either side may end first; what the other still says is passed on.
                let _ = tokio::join!(from.all(&mut to), answer.all(&mut back));
                return;
            }
            // A connection that broke shows at both ends when this one goes.
            Ok(Next::End) | Err(_) => return,
        }
    }
}

async fn exchange(shared: &Shared, client: &mut Stream, server: &mut Stream) -> io::Result<Next> {
    let Some(bytes) = client.input.head().await? else { return Ok(Next::End) };
    let head = Head::parse(&bytes);
    let record = Record::now(head.word(0), head.word(1));
    let began = Instant::now();
    let (place, hooks) = shared.watch().begin(&record);
    if call(hooks, &record) == Verdict::Cut {
        return Ok(Next::End);
    }
    server.output.write_all(&bytes).await?;
    client.input.body(head.body(Body::Length(0)), &mut server.output).await?;
    server.output.flush().await?;
    let asked_by_head = record.method == "HEAD";
    let Stream { input, output } = client;
    let answer = answer(shared, place, began, asked_by_head, &mut server.input, output);
    // A client that goes away while a stream is silent must not leave it open at the server.
    tokio::select! {
        next = answer => next,
        () = gone(input) => Ok(Next::End),
    }
}

/// Reads ahead; ends when the client has.
async fn gone(client: &mut Input) {
    while client.fill().await.unwrap_or(false) {}
}

async fn answer(
    shared: &Shared,
    place: usize,
    began: Instant,
    asked_by_head: bool,
    server: &mut Input,
    client: &mut (impl tokio::io::AsyncWrite + Unpin),
) -> io::Result<Next> {
    let (bytes, head) = loop {
        let bytes = server.head().await?.ok_or(io::ErrorKind::UnexpectedEof)?;
        let head = Head::parse(&bytes);
        if head.word(1) != "100" {
            break (bytes, head);
        }
        client.write_all(&bytes).await?;
    };
    let status = head.word(1).parse().unwrap_or(0);
    let took = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
    let (record, hooks) = shared.watch().answered(place, status, took);
    if call(hooks, &record) == Verdict::Cut {
        return Ok(Next::End);
    }
    client.write_all(&bytes).await?;
    client.flush().await?;
    let body = match status {
        101 => return Ok(Next::Hijacked),
        204 | 304 => Body::Length(0),
        _ if asked_by_head => Body::Length(0),
        _ => head.body(Body::UntilEnd),
    };
    server.body(body, client).await?;
    Ok(if body == Body::UntilEnd { Next::End } else { Next::Request })
}
