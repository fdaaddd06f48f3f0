"""One table: who wrote what."""

from django.db import models


class Entry(models.Model):
    name = models.CharField(max_length=80)
    message = models.TextField()
    written = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ['-written']
        verbose_name_plural = 'entries'

    def __str__(self):
        return '%s: %s' % (self.name, self.message[:40])
