"""The pages of the guestbook."""

from django.urls import path

from . import views

urlpatterns = [
    path('', views.index, name='index'),
    path('upload/', views.upload, name='upload'),
    path('count/', views.count, name='count'),
    path('source/', views.source, name='source'),
    path('fail/', views.fail, name='fail'),
]
