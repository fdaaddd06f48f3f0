"""A form, an upload, a stream, a file, and a page that fails."""

import hashlib
import time

from django.forms import ModelForm
from django.http import FileResponse, JsonResponse, StreamingHttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_POST

from .models import Entry


class EntryForm(ModelForm):
    class Meta:
        model = Entry
        fields = ['name', 'message']


def index(request):
    """Shows the latest entries and takes a new one."""
    form = EntryForm(request.POST or None)
    if request.method == 'POST' and form.is_valid():
        form.save()
        return redirect('index')
    return render(request, 'guestbook/index.html', {'form': form, 'entries': Entry.objects.all()[:20]})


@require_POST
def upload(request):
    """Hashes a file; Django keeps large ones on disk, not in memory."""
    file = request.FILES['file']
    digest = hashlib.sha256()
    for block in file.chunks():
        digest.update(block)
    return JsonResponse({'name': file.name, 'size': file.size, 'sha256': digest.hexdigest()})


def count(request):
    """A stream: each line leaves when it is made, nginx does not hold it back."""
    pause = min(1.0, float(request.GET.get('pause', 0.5)))

    def lines():
        for number in range(1, 6):
            yield '%d\n' % number
            time.sleep(pause)

    return StreamingHttpResponse(lines(), content_type='text/plain')


def source(request):
    """A file, which the kernel copies to viaduct."""
    return FileResponse(open(__file__, 'rb'), content_type='text/x-python')


def fail(request):
    """With DEBUG a page that explains, without it a plain 500."""
    raise RuntimeError('This page fails on purpose')
