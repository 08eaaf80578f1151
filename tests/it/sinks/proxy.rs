//! A TCP proxy that loses the answer to COMMIT: the request reaches the server, the connection dies before it answers.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

pub struct Proxy {
    pub address: SocketAddr,
    /// COMMITs swallowed so far.
    pub lost: Arc<AtomicUsize>,
    task: tokio::task::JoinHandle<()>,
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Loses the answers to the first `lose` COMMITs. With `then_gone`, takes no connection after the first loss.
pub async fn start(server: SocketAddr, lose: usize, then_gone: bool) -> Proxy {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    let lost = Arc::new(AtomicUsize::new(0));
    let counter = lost.clone();
    let task = tokio::spawn(async move {
        let mut tasks = tokio::task::JoinSet::new();
        while let Ok((client, _)) = listener.accept().await {
            if !(then_gone && counter.load(Ordering::SeqCst) > 0) {
                tasks.spawn(forward(client, server, counter.clone(), lose));
            }
        }
    });
    Proxy { address, lost, task }
}

async fn forward(client: TcpStream, server: SocketAddr, lost: Arc<AtomicUsize>, lose: usize) {
    let Ok(upstream) = TcpStream::connect(server).await else { return };
    let (mut from_client, mut to_client) = client.into_split();
    let (mut from_server, mut to_server) = upstream.into_split();
    let mut answers = tokio::spawn(async move { tokio::io::copy(&mut from_server, &mut to_client).await });
    let mut buffer = vec![0; 1 << 16];
    while let Ok(read) = from_client.read(&mut buffer).await {
        if read == 0 {
            break;
        }
        // COM_QUERY with the text COMMIT.
        if buffer[..read].ends_with(b"\x03COMMIT") && lost.load(Ordering::SeqCst) < lose {
            lost.fetch_add(1, Ordering::SeqCst);
            answers.abort();
            let _ = (&mut answers).await;
            let _ = to_server.write_all(&buffer[..read]).await;
            // The server executes what it has read, even if nobody waits for the answer.
            tokio::time::sleep(std::time::Duration::from_millis(200)).await;
            return;
        }
        if to_server.write_all(&buffer[..read]).await.is_err() {
            break;
        }
    }
    answers.abort();
}
