"""The admin site, and the guestbook at the root."""

from django.contrib import admin
from django.urls import include, path

urlpatterns = [
    path('admin/', admin.site.urls),
    path('', include('guestbook.urls')),
]
